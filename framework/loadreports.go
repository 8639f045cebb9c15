package framework

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/internal/orca"
)

// loadReports sends the load of a server to its clients, in the trailer of each call (gRFC A51). Clients with
// weighted_round_robin weigh servers by calls per second, divided by utilization (gRFC A58).
//
// The utilization is the time spent in unary handlers, divided by the elapsed time and by the number of processors. It
// grows with every cause of slowness, and can be above 1 if handlers wait for other services.
type loadReports struct {
	made     time.Time
	measured atomic.Int64 // the time of the last measurement, since made
	trailer  atomic.Pointer[metadata.MD]

	calls    atomic.Int64
	failures atomic.Int64
	busy     atomic.Int64 // nanoseconds in handlers
}

func newLoadReports() *loadReports { return &loadReports{made: time.Now()} }

func (l *loadReports) unary(
	ctx context.Context,
	req any,
	_ *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	started := time.Now()
	reply, err := handler(ctx, req)
	if md := l.count(time.Since(started), err); md != nil {
		_ = grpc.SetTrailer(ctx, *md) // a missing report does not fail the call
	}
	return reply, err
}

// stream counts a stream as a call, without its duration, because a stream may be idle for most of the time.
func (l *loadReports) stream(
	srv any,
	ss grpc.ServerStream,
	_ *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	err := handler(srv, ss)
	if md := l.count(0, err); md != nil {
		ss.SetTrailer(*md)
	}
	return err
}

// count counts a call and returns its trailer, which is nil within the first window.
func (l *loadReports) count(took time.Duration, err error) *metadata.MD {
	l.calls.Add(1)
	l.busy.Add(int64(took))
	switch status.Code(err) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		l.failures.Add(1)
	default:
	}
	now := int64(time.Since(l.made))
	last := l.measured.Load()
	if passed := time.Duration(now - last); passed >= loadWindow && l.measured.CompareAndSwap(last, now) {
		md := metadata.Pairs(orca.Key, string(l.measure(passed).Append(nil)))
		l.trailer.Store(&md)
	}
	return l.trailer.Load()
}

// measure starts a new window and returns the report for it.
func (l *loadReports) measure(passed time.Duration) orca.Report {
	rate := func(n int64) float64 { return float64(n) / passed.Seconds() }
	return orca.Report{
		Rate:        rate(l.calls.Swap(0)),
		Errors:      rate(l.failures.Swap(0)),
		Utilization: float64(l.busy.Swap(0)) / float64(passed) / float64(runtime.GOMAXPROCS(0)),
	}
}
