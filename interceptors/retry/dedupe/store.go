package dedupe

import (
	"context"
	"errors"
	"time"
)

// ErrReused is the error of [Store.Claim] for a key that is known with another fingerprint.
var ErrReused = errors.New("the key is known with another request")

// ErrFull is the error of a [Store] without room for another key.
var ErrFull = errors.New("the store of idempotency keys is full")

// Key names a call that must run once. It is comparable.
type Key struct {
	// Caller is the proven caller, or "" where none is proven.
	Caller string
	// Method is the full name of the method: "/shop.payments.v1.PaymentsService/Charge".
	Method string
	// Key is the idempotency key that the client made.
	Key string
}

// Fingerprint is the SHA-256 of a request.
type Fingerprint [32]byte

// Answer is the outcome of a call. A store keeps it as it is.
type Answer struct {
	// Reply is a google.protobuf.Any of the reply, and empty for a failure.
	Reply []byte
	// Status is a google.rpc.Status, and empty for OK.
	Status []byte
	// Open says that it is not known what the handler did.
	Open bool
}

// Store remembers keys and answers. It is safe for concurrent use. Package storetest checks an implementation.
type Store interface {
	// Claim takes a key for the caller, or returns the answer that is known. It returns claimed for a key that is
	// unknown, expired or released; that caller then calls Finish or Release. While another one holds the claim, it waits
	// until that one finishes or releases, or returns the error of ctx. A key that is known with another fingerprint is
	// ErrReused, at once. A store that has no room is ErrFull; it must not make room by forgetting a key that has not
	// expired. A claim that is held does not end within ttl.
	Claim(ctx context.Context, key Key, fingerprint Fingerprint, ttl time.Duration) (known Answer, claimed bool, err error)
	// Finish keeps the answer of a claimed key for ttl from now. If it fails, the key stays claimed.
	Finish(ctx context.Context, key Key, answer Answer, ttl time.Duration) error
	// Release forgets a claimed key, as if it had not been claimed.
	Release(ctx context.Context, key Key) error
}
