package keyset

import "errors"

var (
	// ErrUnknownKey says that the set has no key of that kid.
	ErrUnknownKey = errors.New("keyset: the issuer has no key of that kid")
	// ErrUnavailable means that there is no usable set: it was never read, is too old, was closed, or has a configuration
	// error.
	ErrUnavailable = errors.New("keyset: no keys")
)
