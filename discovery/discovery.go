// Package discovery finds the instances of services, and announces the instances of this process, in a discovery engine
// such as Consul, etcd or Kubernetes. A [Registry] keeps a program working while the engine is slow, down, restarted or
// wrong. A driver.Driver is a plain client of the engine.
//
// A Registry does the following with every driver:
//
//   - It never stops trying to follow services and to announce instances, at jittered intervals. It announces again
//     the instances that the engine has forgotten.
//   - It keeps the last good list while the engine cannot be reached, and in a file for the next start if
//     [WithLastKnownGood] is set. Instances do not expire: gRPC notices a dead instance by its connections.
//   - It holds the last list, for a limited time, when the engine suddenly lists no instance or has lost most of them.
//   - It merges changes that follow each other closely, sorts the list, drops instances without an address, and leaves
//     out draining instances unless all instances drain.
//   - All subscribers of a service in the process share one watch. It outlives them for a while, so that a gRPC channel
//     that leaves idle mode during an outage still knows its servers.
//
// The drivers mem, static, dns and file are part of this module. Package grpcresolver makes a gRPC resolver from a
// Registry.
package discovery

import (
	"strconv"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Instance is one running server of a service.
type Instance = driver.Instance

// ErrNoRegistration is the error of drivers for platforms that register instances themselves.
const ErrNoRegistration = driver.ErrNoRegistration

// The errors of a Registry itself. Match them with errors.Is.
const (
	// ErrClosed means that the Registry was closed.
	ErrClosed driver.Error = "the registry is closed"
	// ErrSilent means that the engine has not answered yet and has not failed yet.
	ErrSilent driver.Error = "the engine does not answer"
	// ErrNoInstances means that the engine works and lists no instance of the service.
	ErrNoInstances driver.Error = "the engine lists no instance"
	// ErrLeaseLost means that the engine no longer shows an announced instance. The Registry announces it again.
	ErrLeaseLost driver.Error = "the lease is lost"
	// ErrDeregistered means that the registration was ended by Deregister.
	ErrDeregistered driver.Error = "the instance is deregistered"
)

// Error is a failed operation of an engine. It does not carry a gRPC status, so that a status from the client of an
// engine never becomes the status of a call.
type Error struct {
	// Driver is the name of the engine and its address.
	Driver string
	// Op is the failed operation: "find", "announce", "update" or "revoke".
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
