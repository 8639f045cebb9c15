// Package driver defines what an engine of discovery implements. It is small because package discovery, above it, does
// once for all drivers what keeps a program working while its engine is down: retries, caches, holding of empty lists.
//
// The comments of [Driver] and [Lease] are the specification. Package discoverytest checks it.
package driver

import (
	"context"
	"time"
)

// Driver is a client of one engine.
//
// Making a Driver neither blocks nor needs the engine to be up. Its methods may be called from any goroutine, and each
// of them returns soon after its context has ended. A Driver does not retry, cache or log: it tries
// once and returns the result.
type Driver interface {
	// String names the engine and where it is, as errors and pages show it: "etcd at 10.0.0.1:2379". It shows no
	// credentials.
	String() string

	// Announce makes one instance visible to every Watch of its service.
	//
	//  1. It returns when the engine has taken the instance, with every field that the engine can carry.
	//  2. It replaces any entry of the same service and ID, including one of another process: the last one wins.
	//  3. Ttl is how long the engine shows the instance after this process has died. Until then the driver renews,
	//     at jittered intervals of at most a third of ttl. Ctx bounds the call, not the lease.
	//  4. An Announce that fails leaves nothing behind that outlives ttl.
	//  5. Where the platform registers instances itself, it returns ErrNoRegistration at once.
	//
	// The instance is valid, and the driver may keep it: it does not change afterwards.
	Announce(ctx context.Context, in Instance, ttl time.Duration) (Lease, error)

	// Watch is one attempt to list the instances of a service and to follow them.
	//
	//  1. It calls emit with the complete list as soon as the engine has answered, even if the list is empty, and again
	//     after each change. It may merge changes that follow each other closely.
	//  2. A list holds every instance of exactly this service: "user" shows nothing of "user-admin". An entry that
	//     cannot be read is left out; the others are listed.
	//  3. It returns an error, never nil, as soon as it cannot vouch for what it emitted last: the connection is lost,
	//     the history is gone, or the engine has been silent for longer than a living one can be.
	//  4. It never emits because of an error. No answer is not an empty list.
	//  5. It emits from the goroutine that called it and not after it has returned, and it leaves no goroutine behind.
	//
	// A list belongs to the receiver, and the instances in it do not change afterwards.
	Watch(ctx context.Context, service string, emit func([]Instance)) error

	// Close ends everything: each Watch returns an error and each lease is lost. What was announced and not revoked
	// stays visible until its ttl has passed. Calling Close again does nothing.
	Close() error
}

// Lease keeps one announced instance visible. Its methods may be called from any goroutine.
type Lease interface {
	// Lost is closed as soon as the driver cannot vouch that the instance is visible: the lease could not be renewed,
	// the session expired, or the entry was deleted. Being replaced by another Announce of the same ID is no loss; the
	// deletion of the replacement is one. Once Lost is closed, the lease holds no resources and renews nothing.
	Lost() <-chan struct{}

	// Update shows in, which has the same service and ID, in place of what was announced. It fails when the lease is
	// lost or revoked.
	Update(ctx context.Context, in Instance) error

	// Revoke ends the lease at once, without waiting for its ttl. It removes the entry only while the entry is its own.
	// Renewal ends even when Revoke returns an error; it may then be called again. Revoking what is already gone
	// returns nil.
	Revoke(ctx context.Context) error
}

// Error is an error that this package defines. Match it with errors.Is.
type Error string

// ErrNoRegistration is returned by Announce where the platform registers instances itself: Kubernetes, DNS, a list in
// the configuration.
const ErrNoRegistration Error = "instances are registered by the platform, not by themselves"

func (e Error) Error() string { return string(e) }
