package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/policy"
)

// OperationPolicy is the retry policy of an operation that is not a gRPC call. Fields that are zero have the defaults
// of gRPC methods.
type OperationPolicy struct {
	// Idempotency is whether the operation may be repeated. By default it is tried again only if its error proves that it
	// did nothing, see [Classification].
	Idempotency policy.Idempotency
	// Deadline covers all attempts and waits.
	Deadline time.Duration
	// MaxAttempts counts the first; 1 switches retries off.
	MaxAttempts int
	// InitialBackoff is the upper bound of the first wait; each further one doubles it, up to MaxBackoff.
	InitialBackoff, MaxBackoff time.Duration
	// PerAttemptTimeout bounds every attempt but the last. By default there is none.
	PerAttemptTimeout time.Duration
	// MaxHedges lets that many attempts run beside the first, concurrently. It needs an Idempotency. By default there
	// are none.
	MaxHedges int
	// HedgeDelay is how long an attempt runs alone; by default as long as 95 of 100 take, once that is known.
	HedgeDelay time.Duration
	// Classify gives the verdict on an error. By default that is the function of the same name.
	Classify func(error) Classification
}

// Operation is some I/O that [Do] tries again: a query, a request, a file. Make each once, with [Retrier.Operation]. It
// is safe for concurrent use.
type Operation struct {
	retrier  *Retrier
	method   *method
	classify func(error) Classification
}

// Operation returns an operation that shares the budget of the Retrier. The Retrier keeps the latency and the circuit
// of each name for its whole lifetime, so the name must not depend on the data of a call. The error lists the mistakes
// in p.
func (r *Retrier) Operation(name string, p OperationPolicy) (*Operation, error) {
	if err := p.check(name); err != nil {
		return nil, err
	}
	m, err := r.compile(p.method(name))
	if err != nil {
		return nil, err
	}
	o := &Operation{retrier: r, method: m, classify: p.Classify}
	if o.classify == nil {
		o.classify = Classify
	}
	return o, nil
}

func (p OperationPolicy) check(name string) error {
	source := policy.Source{Kind: policy.KindCode, Place: "retry.Operation"}
	wrong := func(field, problem string, args ...any) error {
		return &policy.Mistake{Source: source, Subject: name, Field: field, Problem: fmt.Sprintf(problem, args...)}
	}
	switch {
	case name == "":
		return wrong("name", "an operation needs a name, under which its latency is kept")
	case p.MaxAttempts < 0:
		return wrong("MaxAttempts", "it counts attempts, the first included; say 1 for no retries, or leave it out")
	case p.MaxHedges < 0:
		return wrong("MaxHedges", "it counts attempts beside the first; leave it out for no hedges")
	case min(p.Deadline, p.InitialBackoff, p.MaxBackoff, p.PerAttemptTimeout, p.HedgeDelay) < 0:
		return wrong("durations", "a duration is negative; leave it out to have the default")
	case p.MaxBackoff > 0 && p.MaxBackoff < p.InitialBackoff:
		return wrong("MaxBackoff", "%v is shorter than InitialBackoff, %v; raise it or lower the other",
			p.MaxBackoff, p.InitialBackoff)
	case p.Deadline > 0 && p.PerAttemptTimeout > p.Deadline:
		return wrong("PerAttemptTimeout", "%v is longer than Deadline, %v; lower it or leave it out",
			p.PerAttemptTimeout, p.Deadline)
	case p.Deadline > 0 && time.Duration(p.MaxAttempts)*p.PerAttemptTimeout > p.Deadline:
		return wrong("MaxAttempts", "%d attempts of up to PerAttemptTimeout, %v, do not fit into Deadline, %v; "+
			"lower one of the two, or raise Deadline", p.MaxAttempts, p.PerAttemptTimeout, p.Deadline)
	case p.Deadline > 0 && p.HedgeDelay >= p.Deadline:
		return wrong("HedgeDelay", "%v is not shorter than Deadline, %v; lower it or leave hedging out",
			p.HedgeDelay, p.Deadline)
	default:
		return nil
	}
}

// method is the policy in the form that methods have.
func (p OperationPolicy) method(name string) policy.Method {
	m := policy.Method{Name: name, Described: true, Idempotency: said(p.Idempotency), Deadline: said(p.Deadline)}
	m.Retry.MaxAttempts = said(p.MaxAttempts)
	m.Retry.InitialBackoff, m.Retry.MaxBackoff = said(p.InitialBackoff), said(p.MaxBackoff)
	m.Retry.PerAttemptTimeout = said(p.PerAttemptTimeout)
	m.Hedge.MaxHedges, m.Hedge.Delay = said(p.MaxHedges), policy.Value[time.Duration]{}
	if p.MaxHedges > 0 {
		m.Hedge.Delay = said(p.HedgeDelay)
	}
	return m
}

// said is a value that was stated in code, unless it is zero.
func said[T comparable](v T) policy.Value[T] {
	var zero T
	if v == zero {
		return policy.Value[T]{}
	}
	return policy.Value[T]{Value: v, Source: policy.Source{Kind: policy.KindCode, Place: "retry.Operation"}}
}

// Do runs an operation until it succeeds or there is a reason to stop, by the rules that hold for calls: the same
// questions in the same order, the same waits, budget, deadline, switch, circuit and span events. Each attempt must end
// when its context does. An error is an [*Error]; it wraps the error of the last attempt, and has its text. The status
// of an error that has none is UNKNOWN.
//
// With hedges, run is called concurrently, and an abandoned call of run may still be running after Do has returned.
// Data that run shares with the caller must allow this.
func Do[T any](ctx context.Context, o *Operation, run func(context.Context) (T, error)) (T, error) {
	var result T
	err := o.do(
		ctx,
		&result,
		func(ctx context.Context, _ string, _, reply any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			value, err := run(ctx)
			if err == nil {
				*reply.(*T) = value //nolint:forcetypeassert // &result, or another of its type
			}
			return err
		},
	)
	return result, err
}

// ofOperation is the error of an operation that was not begun, in the words of no protocol.
func ofOperation(e *Error) error {
	e.operation, e.Last = true, errors.New(e.status.Message())
	return e
}

func (o *Operation) do(ctx context.Context, result any, run grpc.UnaryInvoker) error {
	r := o.retrier
	if r.mistakes != nil {
		return refusal(r.mistakes)
	}
	if r.lifetime.Err() != nil {
		return ofOperation(closedError())
	}
	if err := o.method.admit(); err != nil {
		return ofOperation(err)
	}
	now := time.Now()
	c := &call{
		standing:  standing{wire: wire{method: o.method.name}, retrier: r, policy: o.method},
		unaryWire: unaryWire{reply: result, invoker: run},
		classify:  o.classify,
	}
	c.setDeadline(ctx, now)
	return c.run(ctx, now)
}
