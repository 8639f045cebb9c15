package keyset

import "errors"

var (
	// ErrUnknownKey says that the set has no key of that kid, or, for a token without kid, not exactly one key.
	ErrUnknownKey error = unknownKey{}
	// ErrUnavailable means that there is no usable set: it was never read, is too old, was closed, or has a configuration
	// error.
	ErrUnavailable = errors.New("keyset: no keys")
)

// unknownKey is [ErrUnknownKey], which says what was looked for.
type unknownKey struct{ nameless bool }

func (e unknownKey) Error() string {
	if e.nameless {
		return "keyset: the token has no kid, and the issuer has not exactly one key; let the issuer state a kid"
	}
	return "keyset: the issuer has no key of that kid"
}

func (unknownKey) Is(target error) bool {
	_, ok := target.(unknownKey)
	return ok
}
