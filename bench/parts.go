package main

import (
	"context"
	"errors"
	"os"
	"slices"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/telemetry"
)

// parts are the parts of Parley, each alone on plain grpc-go.
func parts() []maker {
	return []maker{
		{"part: connection mode, policy", onGRPC(connectionMode)},
		{"part: retry, deadline", onGRPC(retrying)},
		{"part: metrics", onGRPC(traced("OTEL_PROPAGATORS=none", "OTEL_TRACES_SAMPLER=always_off"))},
		{"part: unsampled span contexts", onGRPC(traced("OTEL_METRICS_EXPORTER=none", "OTEL_TRACES_SAMPLER=always_off"))},
		{"part: metrics, unsampled span contexts", onGRPC(traced("OTEL_TRACES_SAMPLER=always_off"))},
	}
}

func connectionMode(context.Context) (ends, error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return ends{}, err
	}
	payments, err1 := identity(dir, "payments")
	orders, err2 := identity(dir, "orders")
	if err := errors.Join(err1, err2); err != nil {
		return ends{}, err
	}
	return ends{
		dial:   orders.DialOptions(payments.ID()),
		serve:  payments.Server(policy.FromProto()).ServerOptions(),
		secure: true,
		close:  func() error { return errors.Join(orders.Close(), payments.Close(), os.RemoveAll(dir)) },
	}, nil
}

func retrying(context.Context) (ends, error) {
	r := retry.New()
	return ends{
		dial:  r.DialOptions(),
		serve: []grpc.ServerOption{grpc.ChainUnaryInterceptor(retry.UnaryServerInterceptor)},
		close: r.Close,
	}, nil
}

func traced(environ ...string) func(context.Context) (ends, error) {
	return func(ctx context.Context) (ends, error) {
		set, err := telemetry.New(ctx, "bench", telemetry.WithEnviron(environ))
		if err != nil {
			return ends{}, err
		}
		t := tracing.New(
			tracing.WithTracerProvider(set.TracerProvider()), tracing.WithMeterProvider(set.MeterProvider()),
			tracing.WithPropagator(set.Propagator()),
		)
		return ends{
			dial:  slices.Concat(t.DialOptions(), t.AttemptDialOptions()),
			serve: t.ServerOptions(),
			close: func() error { return set.Shutdown(context.WithoutCancel(ctx)) },
		}, nil
	}
}
