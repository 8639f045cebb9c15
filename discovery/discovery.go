// Package discovery finds the instances of services, and announces the instances of this process, in the engine that a
// company already runs. A [Registry] keeps a program working while that engine is slow, down, restarted or wrong; a
// driver.Driver only talks to it.
//
// A Registry does the following over every driver:
//
//   - It never gives up, at jittered intervals, to follow services and to announce instances, and it announces again
//     the instances that the engine has forgotten.
//   - It keeps the last good list while the engine cannot be reached, and in a file for the next start if
//     [WithLastKnownGood] is set. Instances do not expire: a dead one is noticed by its connections.
//   - It holds the last list, for a bounded time, when the engine suddenly lists nothing or has lost most instances.
//   - It merges changes that follow each other closely, sorts the list, drops instances without an address, and leaves
//     out draining instances unless no other is left.
//   - All subscribers of a service in the process share one watch. It outlives them for a while, so that a gRPC channel
//     that leaves idle mode during an outage still knows its servers.
//
// The drivers mem, static, dns and file are part of this module. Package grpcresolver makes a Registry a resolver of
// gRPC.
package discovery

import (
	"strconv"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Instance is one running server of a service.
type Instance = driver.Instance

// ErrNoRegistration is returned by drivers whose platform registers instances itself.
const ErrNoRegistration = driver.ErrNoRegistration

// The errors of a Registry itself. Match them with errors.Is.
const (
	// ErrClosed means that the Registry was closed.
	ErrClosed driver.Error = "the registry is closed"
	// ErrSilent means that the engine has not answered yet, though it has not failed either.
	ErrSilent driver.Error = "the engine does not answer"
	// ErrNoInstances means that the engine answers and lists no instance.
	ErrNoInstances driver.Error = "the engine lists no instance"
	// ErrLeaseLost means that an announced instance is no longer visible. It is being announced again.
	ErrLeaseLost driver.Error = "the lease is lost"
	// ErrDeregistered means that the registration was ended by Deregister.
	ErrDeregistered driver.Error = "the instance is deregistered"
)

// Error says which engine failed, and at what. It has no gRPC status, so that a status from an engine's client never
// becomes the status of a call.
type Error struct {
	// Driver names the engine and where it is.
	Driver string
	// Op is the operation: "find", "announce", "update", "revoke".
	Op string
	// Service is the name of the service.
	Service string
	// Err is the cause.
	Err error
}

func (e *Error) Error() string {
	return "discovery: " + e.Driver + ": " + e.Op + " " + strconv.Quote(e.Service) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
