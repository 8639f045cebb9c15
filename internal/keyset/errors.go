package keyset

import "errors"

var (
	// ErrUnknownKey is what a key that is not in the set gets.
	ErrUnknownKey = errors.New("keyset: unknown key")
	// ErrUnavailable is what every key gets while there is no set: it was never read, is too old, or was closed.
	ErrUnavailable = errors.New("keyset: no keys")
)
