// Package discovery finds the instances of services, and announces the own ones, in whatever engine a company already
// runs. A [Registry] keeps a program working while that engine is slow, down, restarted or wrong; a driver.Driver does
// no more than talk to it.
//
// What a Registry does, whichever driver is below:
//
//   - It tries for ever, at jittered intervals, to follow what is asked for and to announce what is registered, and
//     announces again what the engine has forgotten.
//   - It keeps the last good list while the engine cannot be reached, and in a file for the next start if that is asked
//     for. Instances do not age: a dead one is found out by its connections.
//   - It holds what was listed before when the engine suddenly lists nothing or has lost most of it, for a bounded time.
//   - It joins changes that follow each other closely, sorts, drops what has no address, and leaves out instances that
//     drain unless nothing else is left.
//   - Everyone in the process who asks for a service shares one watch, which outlives its users for a while, so that a
//     gRPC channel that wakes from idleness during an outage still knows its servers.
//
// The drivers mem, static, dns and file are part of this module. Package grpcresolver makes a Registry a resolver of gRPC.
package discovery

import (
	"strconv"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Instance is one running server of a service.
type Instance = driver.Instance

// ErrNoRegistration is what drivers say whose platform registers instances itself.
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

// Error says which engine failed to do what. It carries no gRPC status, so that what an engine's client says with one
// never becomes the status of a call.
type Error struct {
	// Driver names the engine and where it is.
	Driver string
	// Op is what was tried: "find", "announce", "update", "revoke".
	Op string
	// Service is the name of the service.
	Service string
	// Err is what happened.
	Err error
}

func (e *Error) Error() string {
	return "discovery: " + e.Driver + ": " + e.Op + " " + strconv.Quote(e.Service) + ": " + e.Err.Error()
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }
