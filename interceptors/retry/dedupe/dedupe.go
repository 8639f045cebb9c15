package dedupe

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// ReplayedKey is the trailer, with the value "1", of an answer that an earlier call has earned.
const ReplayedKey = "parley-idempotency-replayed"

// Deduplicator runs calls that carry an idempotency key once. Make one with [New] for each server. It is safe for
// concurrent use.
type Deduplicator struct {
	store    Store
	caller   func(context.Context) string
	ttl      time.Duration
	limit    time.Duration
	undone   []codes.Code
	mistakes error
}

// New returns a Deduplicator. [Deduplicator.Check] returns the mistakes in opts. A Deduplicator with mistakes refuses
// calls with a key.
func New(opts ...Option) *Deduplicator {
	d := &Deduplicator{
		store:  NewMemory(0, 0),
		caller: func(context.Context) string { return "" },
		ttl:    defaultTTL,
		limit:  defaultHandlerTimeout,
	}
	for _, o := range opts {
		o.apply(d)
	}
	d.mistakes = d.check()
	return d
}

// Check returns everything that is wrong with the options, joined.
func (d *Deduplicator) Check() error { return d.mistakes }

// UnaryServerInterceptor runs the handler of a call that carries a key once. It belongs directly around the handler.
//
// Beside what handlers answer, it answers with INVALID_ARGUMENT for a key that is malformed or was used for another
// request, UNIMPLEMENTED for a request that is not a protobuf message, RESOURCE_EXHAUSTED while the store is full,
// UNAVAILABLE while it fails, and FAILED_PRECONDITION while the options are wrong. The handler has not run then, and
// the trailer parley-unprocessed says so.
func (d *Deduplicator) UnaryServerInterceptor(
	ctx context.Context,
	req any,
	info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	keys := metadata.ValueFromIncomingContext(ctx, retry.IdempotencyKeyHeader)
	if len(keys) == 0 {
		return handler(ctx, req)
	}
	switch {
	case d.mistakes != nil:
		return nil, refuse(ctx, codes.FailedPrecondition, "deduplication is configured wrongly")
	case len(keys) > 1 || !valid(keys[0]):
		return nil, refuse(
			ctx,
			codes.InvalidArgument,
			"the idempotency key is malformed; send one of 1 to 255 visible ASCII characters",
		)
	}
	fingerprint, ok := fingerprintOf(req)
	if !ok {
		return nil, refuse(ctx, codes.Unimplemented, "only protobuf messages can be deduplicated")
	}
	key := Key{d.caller(ctx), info.FullMethod, keys[0]}
	known, claimed, err := d.store.Claim(ctx, key, fingerprint, d.ttl)
	switch {
	case claimed && err == nil:
		return d.run(ctx, key, req, handler)
	case err == nil:
		return replay(ctx, known)
	case errors.Is(err, ErrReused):
		return nil, refuse(
			ctx,
			codes.InvalidArgument,
			"the idempotency key was used for another request; make a new key for each call",
		)
	case errors.Is(err, ErrFull):
		return nil, refuse(ctx, codes.ResourceExhausted, "too many idempotency keys are remembered")
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	default:
		return nil, refuse(ctx, codes.Unavailable, "idempotency keys cannot be looked up now")
	}
}

// refuse answers in place of the handler.
func refuse(ctx context.Context, code codes.Code, text string) error {
	// It fails only outside of an RPC, or when the answer is gone.
	_ = rpcerr.SetUnprocessed(ctx)
	return status.Error(code, text)
}

type undoneContext struct{}

// Undone says that the failure with which the handler of ctx is about to return left nothing behind, so that it is
// forgotten and the next attempt runs the handler. It does nothing for a call that succeeds, or that carries no key.
func Undone(ctx context.Context) {
	if u, ok := ctx.Value(undoneContext{}).(*atomic.Bool); ok {
		u.Store(true)
	}
}

// run runs the handler of a claimed key, and keeps its outcome.
func (d *Deduplicator) run(ctx context.Context, key Key, req any, handler grpc.UnaryHandler) (any, error) {
	undone := new(atomic.Bool)
	limit := time.Now().Add(d.limit)
	if callers, ok := ctx.Deadline(); ok && callers.After(limit) {
		limit = callers
	}
	detached := context.WithValue(context.WithoutCancel(ctx), undoneContext{}, undone)
	work, cancel := context.WithDeadline(detached, limit)
	defer cancel()

	returned := false
	defer func() {
		if !returned { // a panic, which goes on
			_ = d.finish(
				detached,
				key,
				Answer{Status: statusBytes(status.New(codes.Internal, "the handler failed")), Open: true},
			)
		}
	}()
	reply, err := handler(work, req)
	returned = true

	if err == nil {
		d.keep(detached, key, reply)
		return reply, nil
	}
	err = rpcerr.StripHop(err)
	st := statusOf(err)
	if undone.Load() || slices.Contains(d.undone, st.Code()) {
		bounded, cancel := context.WithTimeout(detached, storeTimeout)
		defer cancel()
		// A key that cannot be released stays claimed for as long as the store holds claims: later attempts wait for it until
		// their deadlines, and nothing runs twice.
		_ = d.store.Release(bounded, key)
		return nil, err
	}
	answer := Answer{Status: statusBytes(st), Open: open(st.Code())}
	_ = d.finish(detached, key, answer)
	if answer.Open {
		_ = rpcerr.SetPushback(ctx, -1)
	}
	return nil, err
}

// keep stores a reply. One that cannot be stored is remembered as an outcome that is not known.
func (d *Deduplicator) keep(ctx context.Context, key Key, reply any) {
	packed, err := pack(reply)
	if err == nil {
		err = d.finish(ctx, key, Answer{Reply: packed})
	}
	if err != nil {
		st := status.New(codes.Aborted, "an earlier attempt succeeded, but its reply could not be kept")
		_ = d.finish(ctx, key, Answer{Status: statusBytes(st), Open: true})
	}
}

// finish stores an answer. If it cannot, the key stays claimed for as long as the store holds claims: later attempts
// wait for it until their deadlines, and nothing runs twice.
func (d *Deduplicator) finish(ctx context.Context, key Key, answer Answer) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return d.store.Finish(ctx, key, answer, d.ttl)
}

// open reports whether a status leaves it open what the handler did.
func open(code codes.Code) bool {
	switch code {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented, codes.Unauthenticated:
		return false
	case codes.Canceled, codes.Unknown, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Internal,
		codes.Unavailable, codes.DataLoss:
		return true
	default:
		return true
	}
}
