package istio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Faults injects the faults that VirtualServices state into the calls of one client, so that its program can be tested.
// Nothing injects them by itself: pass Faults to frameworktest.WithFaults, or their interceptors to
// framework.WithCallInterceptors. As in Istio, a fault meets a call before its first attempt, and a call that it ends
// is not retried. It is safe for concurrent use.
type Faults struct {
	routes *routes
	host   string
	random func() float64
	logger *slog.Logger
	faults []*fault
}

// Faults reads the files and returns the faults of the calls to a host, which is named as [policy.Table.Toward] wants
// it. Random returns numbers in [0, 1) and must be safe for concurrent use; nil means rand.Float64 of math/rand/v2. The
// logger gets one line for each fault, and one for each call that a fault meets. Its error is that of [Files.Read] or
// [Files.Parse], or says that no route to the host states a fault. Later changes of the files have no effect.
func (f *Files) Faults(host string, random func() float64, logger *slog.Logger) (*Faults, error) {
	if logger == nil {
		return nil, errors.New("istio: Faults: the logger is nil; a fault must be seen in the log")
	}
	content, err := f.Read()
	if err != nil {
		return nil, err
	}
	read, err := f.parse(content)
	if err != nil {
		return nil, err
	}
	if random == nil {
		random = rand.Float64
	}
	faults := &Faults{routes: read.routes, host: host, random: random, logger: logger}
	for _, route := range read.routes.routesOf(f.workload.hostOf(host)) {
		if route.fault != nil {
			faults.faults = append(faults.faults, route.fault)
			logger.Warn("faults are injected into calls", slog.String("host", host), slog.Any("fault", route.fault),
				slog.String("source", route.fault.source.String()))
		}
	}
	if len(faults.faults) == 0 {
		return nil, fmt.Errorf("istio: %s: no route to the host %s states a fault; correct the host, or do without", f.path,
			show(host))
	}
	return faults, nil
}

// String lists the faults with their places.
func (f *Faults) String() string {
	texts := make([]string, 0, len(f.faults))
	for _, fault := range f.faults {
		texts = append(texts, fmt.Sprintf("%v (%v)", fault, fault.source))
	}
	return f.host + ": " + strings.Join(texts, "; ")
}

// UnaryClientInterceptor injects the faults into unary calls.
func (f *Faults) UnaryClientInterceptor(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	if err := f.meet(ctx, method); err != nil {
		return err
	}
	return invoker(ctx, method, req, reply, cc, opts...)
}

// StreamClientInterceptor injects the faults into streams, before they are opened.
func (f *Faults) StreamClientInterceptor(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if err := f.meet(ctx, method); err != nil {
		return nil, err
	}
	return streamer(ctx, desc, cc, method, opts...)
}

// meet delays a call, and then ends it, each by chance.
func (f *Faults) meet(ctx context.Context, method string) error {
	route := f.routes.route(f.host, method)
	if route == nil || route.fault == nil {
		return nil
	}
	fault := route.fault
	if fault.delay > 0 && f.random()*100 < fault.delayed {
		f.log(ctx, "a fault delays a call", method, fault)
		timer := time.NewTimer(fault.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	if fault.abort != "" && f.random()*100 < fault.aborted {
		f.log(ctx, "a fault ends a call", method, fault)
		return status.Errorf(fault.code, "fault injected: %s (%v)", fault.abort, fault.source)
	}
	return nil
}

func (f *Faults) log(ctx context.Context, what, method string, fault *fault) {
	f.logger.LogAttrs(ctx, slog.LevelWarn, what, slog.String("method", method), slog.String("host", f.host),
		slog.String("source", fault.source.String()))
}
