package policy

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// Routes says how calls to other services are made, by the host that is called, as the traffic rules of a mesh do. It
// never changes and is safe for concurrent use. Make a layer of it with [Routed].
type Routes interface {
	// String names the routes and says where they stand, in one line.
	fmt.Stringer
	// Traffic returns what is stated about calls of a method ("/package.Service/Method") to a host. The values are within
	// the bounds that [Retry] states.
	Traffic(host, method string) Traffic
	// Destination returns what is stated about a host, whatever the method.
	Destination(host string) Destination
	// Statements lists what is stated about a host, in words, for explanations. An empty list means that nothing is.
	Statements(host string) []Statement
}

// Traffic is how the calls of one method to one host are made. What is not stated is left to the method's policy.
type Traffic struct {
	// Deadline is the longest a call may take, all attempts and waits included. It is positive if stated.
	Deadline Value[time.Duration]
	// Retry says how a failed call is tried again. It never makes a method repeatable.
	Retry Retry
}

// Stated reports whether anything is stated.
func (t Traffic) Stated() bool {
	r := t.Retry
	return t.Deadline.Stated() || r.MaxAttempts.Stated() || r.PerAttemptTimeout.Stated() || r.InitialBackoff.Stated() ||
		r.MaxBackoff.Stated() || r.Codes.Stated()
}

// Destination is how the calls to one host are spread over its instances, and what limits them. What is not stated is
// left to the client.
type Destination struct {
	// Balancing is the name of a balancing policy, as the configuration of a client has it.
	Balancing Value[string]
	// HashMetadata is the key of the outgoing metadata by which ring_hash picks an instance.
	HashMetadata Value[string]
	// OutliersOff says that no instance rests.
	OutliersOff Value[bool]
	// Interval is the time over which the failures of an instance are counted. It is at most 5m.
	Interval Value[time.Duration]
	// FailurePercent is the share of failed calls with which an instance rests. It is 1 to 100.
	FailurePercent Value[int]
	// Rest is how long an instance rests the first time. It is at most 5m.
	Rest Value[time.Duration]
	// MaxPercent is the largest share of resting instances. It is 1 to 100.
	MaxPercent Value[int]
	// BudgetRatio is the number of retries that one successful call pays for. It is 0 to 1.
	BudgetRatio Value[float64]
}

// Same reports whether other says the same, wherever it is stated.
func (d Destination) Same(other Destination) bool {
	return d.Balancing.Value == other.Balancing.Value && d.HashMetadata.Value == other.HashMetadata.Value &&
		d.OutliersOff.Value == other.OutliersOff.Value && d.Interval.Value == other.Interval.Value &&
		d.FailurePercent.Value == other.FailurePercent.Value && d.Rest.Value == other.Rest.Value &&
		d.MaxPercent.Value == other.MaxPercent.Value &&
		d.BudgetRatio.Value == other.BudgetRatio.Value && d.BudgetRatio.Stated() == other.BudgetRatio.Stated()
}

// Retry says how a failed call is tried again. What is not stated is left to the defaults of the retrier.
type Retry struct {
	// MaxAttempts counts the attempts of one call, the first included; 1 switches retries off. It is 1 to 10 if stated.
	MaxAttempts Value[int]
	// InitialBackoff bounds the first wait. It is positive if stated.
	InitialBackoff Value[time.Duration]
	// MaxBackoff bounds every wait. It is positive if stated, and never below a stated InitialBackoff.
	MaxBackoff Value[time.Duration]
	// PerAttemptTimeout bounds every attempt but the last. It is positive if stated. It may exceed the deadline where
	// one layer states one and another layer the other; the deadline then ends the attempt.
	PerAttemptTimeout Value[time.Duration]
	// Codes are the status codes that may be retried, sorted. If stated, they may also be none, where two layers have
	// no code in common: nothing is retried for its code then.
	Codes Value[[]codes.Code]
}

// Hedge says how a slow call is raced against a second attempt.
type Hedge struct {
	// MaxHedges counts the additional attempts in flight at once; 0 switches hedging off. It is 0 to 9 if stated.
	MaxHedges Value[int]
	// Delay is how long an attempt may be out before the next is sent. It is not negative if stated.
	Delay Value[time.Duration]
}
