package retry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// Retrier tries failed calls to one service again. Make one with [New] for each called service, and keep it, because it
// has the budget and the observed latency of the service. It is safe for concurrent use.
type Retrier struct {
	table    *policy.Table
	view     *policy.View[*method]
	deadline policy.Value[time.Duration]
	random   func() float64
	logger   *slog.Logger
	budget   *bucket
	keyed    []string // methods whose calls carry a key, as WithKeyedMethods has them
	mistakes error
	settings settings

	latencies   sync.Map // of *latency, by the name of a described method
	undescribed latency
	stats       sync.Map // of *methodStats, by the name of a described method; the others share one

	limits  sync.Pool    // of *limit, not in use
	unmeter func() error // ends the measurements, nil if there are none

	native   sync.Once // guards the warning about native retry
	lifetime context.Context
	close    context.CancelFunc
}

// New returns a Retrier. [Retrier.Check] returns the mistakes in opts. A Retrier with mistakes refuses calls.
func New(opts ...Option) *Retrier {
	c := newConfig(opts)
	r := &Retrier{mistakes: c.mend()}
	r.table, r.deadline, r.random, r.logger, r.keyed = c.table, c.deadline, c.random, c.logger, c.keyed
	r.settings = c.settings
	if c.lender != nil {
		r.budget = c.lender.budget
	} else {
		r.budget = newBucket(c.budget)
	}
	r.view = policy.NewView(c.table, r.compile)
	r.lifetime, r.close = context.WithCancel(context.Background())
	if c.meters != nil {
		if err := r.meter(c.meters, c.target); err != nil {
			r.mistakes = errors.Join(r.mistakes, err)
		}
	}
	return r
}

// Check returns all mistakes in the options, and in the retry policies of methods with a linked .proto, joined. While
// an option is wrong, each call fails with FAILED_PRECONDITION and the same text. A method whose policy is wrong is
// refused alone.
func (r *Retrier) Check() error {
	return errors.Join(r.mistakes, r.view.Resolve(r.table.Methods()...))
}

// Close ends all waits between attempts at once. Their calls return the error of their last attempt, with the reason
// closing. Attempts in flight go on, and have no further attempt. Later calls are refused with CANCELLED. It returns
// the error of the meter provider, or nil.
func (r *Retrier) Close() error {
	r.close()
	r.view.Close()
	if r.unmeter == nil {
		return nil
	}
	return r.unmeter()
}

// BudgetBalance is the number of retries that the budget would pay for now.
func (r *Retrier) BudgetBalance() float64 { return r.budget.balance() }

// BudgetMax is the number of retries that the budget pays for when it is full.
func (r *Retrier) BudgetMax() float64 { return float64(r.budget.limit) / token }

// BudgetUse returns the numbers of retries and hedges that the budget has paid for and refused to pay for, since it was
// made.
func (r *Retrier) BudgetUse() (spent, refused int64) {
	return r.budget.spent.Load(), r.budget.refused.Load()
}

// DialOptions returns the options for a channel that uses the Retrier: its interceptors, the interceptors of package
// attempt inside of them, and gRPC's own retry disabled. Interceptors that are given to the channel before them run
// once for each call, those after them once for each attempt; there an attempt that its per-attempt timeout ends looks
// canceled.
func (r *Retrier) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDisableRetry(),
		grpc.WithChainUnaryInterceptor(r.dialledUnary, attempt.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(r.dialledStream, attempt.StreamClientInterceptor),
	}
}

// method returns the policy of a method, or why its calls are refused.
func (r *Retrier) method(name string) (*method, error) {
	if r.mistakes != nil {
		return nil, refusal(r.mistakes)
	}
	m, err := r.view.Get(name)
	switch {
	case err == nil:
		if refused := m.admit(); refused != nil {
			return m, refused
		}
		return m, nil
	case errors.Is(err, policy.ErrClosed):
		return nil, closedError()
	default:
		return nil, refusal(err)
	}
}

func closedError() *Error {
	last := status.New(codes.Canceled, "the Retrier is closed")
	return &Error{Reason: StopClosing, Last: last.Err(), status: last}
}

func refusal(err error) error {
	return rpcerr.New(rpcerr.ConfigurationInvalid, err.Error(), nil)
}
