package keyset

import "errors"

var (
	// ErrUnknownKey says that the set has no key of that kid, or, for a token without kid, not exactly one key.
	ErrUnknownKey = errors.New("keyset: the issuer has no key of that kid")
	// ErrUnavailable means that there is no usable set: it was never read, is too old, was closed, or has a configuration
	// error.
	ErrUnavailable = errors.New("keyset: no keys")
)

// namelessError is [ErrUnknownKey] for a token without kid.
type namelessError struct{}

func (namelessError) Error() string {
	return "keyset: the token has no kid, and the issuer has not exactly one key; let the issuer state a kid"
}

func (namelessError) Is(target error) bool { return target == ErrUnknownKey }
