package keyset

import "errors"

var (
	// ErrUnknownKey says that the set has no key of that kid.
	ErrUnknownKey = errors.New("keyset: the issuer has no key of that kid")
	// ErrUnavailable says that there is no set to look in: it was never read, is too old, was closed, or was made with a
	// configuration error.
	ErrUnavailable = errors.New("keyset: no keys")
)
