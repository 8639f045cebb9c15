// Package driver defines the interface of discovery drivers. A driver is a plain client of one discovery engine.
// Package discovery adds retries, caches and the holding of empty lists for all drivers, so a driver needs none of
// them.
//
// The comments of [Driver] and [Lease] are the specification. Package discoverytest tests a driver against it.
package driver

import (
	"context"
	"time"
)

// Driver is a client of one engine.
//
// The constructor of a Driver does not block, and the engine may be down at that time. The methods may be called from
// any goroutine, and each of them returns soon after its context has ended. A Driver does not retry, cache or log: it
// tries once and returns the result.
type Driver interface {
	// String returns the name of the engine and its address, for errors and pages: "etcd at 10.0.0.1:2379". It does not
	// contain credentials.
	String() string

	// Announce makes one instance visible to every Watch of its service.
	//
	//  1. It returns when the engine has accepted the instance, with every field that the engine supports.
	//  2. It replaces any entry of the same service and ID, including an entry of another process: the last one wins.
	//  3. Ttl is how long the engine shows the instance after this process has died. The driver renews the lease
	//     at jittered intervals of at most a third of ttl. Ctx limits the call, not the lease.
	//  4. If Announce fails, anything that it left in the engine expires after ttl.
	//  5. If the platform registers instances itself, it returns ErrNoRegistration at once.
	//
	// The instance is valid. The driver may keep it, because it does not change afterwards.
	Announce(ctx context.Context, in Instance, ttl time.Duration) (Lease, error)

	// Watch is one attempt to list the instances of a service and to follow them.
	//
	//  1. It calls emit with the complete list as soon as the engine has answered, even if the list is empty, and again
	//     after each change. It may merge changes that follow each other closely.
	//  2. A list has all instances of exactly this service: the list of "user" has none of "user-admin". An entry that
	//     cannot be read is skipped.
	//  3. It returns an error, never nil, as soon as it cannot vouch for its last list: the connection is lost,
	//     the history is gone, or the engine has been silent for longer than a working engine can be.
	//  4. It never emits a list because of an error. A missing answer is not an empty list.
	//  5. It calls emit from the goroutine that called Watch. All its goroutines have ended when it returns.
	//
	// A list belongs to the receiver, and the instances in it do not change afterwards.
	Watch(ctx context.Context, service string, emit func([]Instance)) error

	// Close closes the driver: each Watch returns an error and each lease is lost. Instances that were not revoked stay
	// visible until their ttl has passed. Further calls of Close do nothing.
	Close() error
}

// Lease keeps one announced instance visible. Its methods may be called from any goroutine.
type Lease interface {
	// Lost returns a channel that is closed as soon as the driver cannot vouch that the instance is visible: the lease
	// could not be renewed, the session expired, or the entry was deleted. The lease is not lost if another Announce of
	// the same ID replaces the entry, but it is lost if the replacement is deleted. After Lost is closed, the lease holds
	// no resources and renews nothing.
	Lost() <-chan struct{}

	// Update replaces the announced instance with in, which has the same service and ID. It fails if the lease is lost or
	// revoked.
	Update(ctx context.Context, in Instance) error

	// Revoke ends the lease at once, without waiting for its ttl. It removes the entry only if the entry still belongs to
	// this lease. Renewal ends even if Revoke returns an error. Revoke may then be called again. It returns nil if the
	// entry no longer exists.
	Revoke(ctx context.Context) error
}

// Error is an error that this package defines. Match it with errors.Is.
type Error string

// ErrNoRegistration is the error of Announce if the platform registers instances itself, as Kubernetes, DNS and a list
// in the configuration do.
const ErrNoRegistration Error = "the platform registers instances; the driver cannot"

func (e Error) Error() string { return string(e) }
