package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// payload makes a request of 100 bytes.
var payload = strings.Repeat("x", 98)

// stack is a client and a server of one make, ready to be called.
type stack struct {
	name   string
	client paymentsv1.PaymentsServiceClient
	close  func() error
}

// maker opens a stack.
type maker struct {
	name string
	open func(context.Context) (*stack, error)
}

type handler struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (handler) GetQuote(_ context.Context, req *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{Replica: req.GetOrderId()}, nil
}

// makers are all stacks. The first word of a name says what it is for.
func makers() []maker {
	return slices.Concat([]maker{
		{"plain grpc-go with TLS", onGRPC(nothing)},
		{"plain grpc-go with TLS, and a trace context", onGRPC(traceContext)},
		{"Parley, telemetry off", parley(framework.WithEnviron([]string{"OTEL_SDK_DISABLED=true"}))},
		{"Parley, everything on, nothing sampled", parley(framework.WithEnviron([]string{"OTEL_TRACES_SAMPLER=always_off"}))},
		{
			"Parley, everything on, nothing sampled, no trace context sent",
			parley(framework.WithEnviron([]string{"OTEL_TRACES_SAMPLER=always_off", "OTEL_PROPAGATORS=none"})),
		},
		{
			"Parley in token mode, everything on, nothing sampled",
			tokenMode(framework.WithEnviron([]string{"OTEL_TRACES_SAMPLER=always_off"})),
		},
		{
			"Parley, everything on, every call sampled",
			parley(framework.WithEnviron(nil), framework.WithTracerProvider(sampleAll())),
		},
	}, chains(), parts(), floors(), peers())
}

// openStacks opens the base, with which the others are compared, and the stacks whose names match.
func openStacks(ctx context.Context, only string) ([]*stack, error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	var stacks []*stack
	for n, m := range makers() {
		if n > 0 && !wanted.MatchString(m.name) {
			continue
		}
		s, err := m.open(ctx)
		if err != nil {
			return stacks, fmt.Errorf("%s: %w", m.name, err)
		}
		s.name = m.name
		stacks = append(stacks, s)
	}
	return stacks, nil
}

func closeStacks(stacks []*stack) {
	for _, s := range stacks {
		if err := s.close(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: closing %s: %v\n", s.name, err)
		}
	}
}

// sampleAll samples every call and throws the spans away when they have been batched for export.
func sampleAll() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(nullExporter{}))
}

type nullExporter struct{}

func (nullExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nullExporter) Shutdown(context.Context) error                             { return nil }

// parley is Parley with connection mode, policy, retry, deadline, metrics and tracing.
func parley(options ...framework.Option) func(context.Context) (*stack, error) {
	return func(ctx context.Context) (*stack, error) {
		dir, err := os.MkdirTemp("", "parley-bench-")
		if err != nil {
			return nil, err
		}
		return openParley(ctx, dir, options, options)
	}
}

// tokenMode is the same in token mode: a bearer token and a nonce in each call, and the server's proof in each answer.
func tokenMode(options ...framework.Option) func(context.Context) (*stack, error) {
	return func(ctx context.Context) (*stack, error) {
		dir, err := os.MkdirTemp("", "parley-bench-")
		if err != nil {
			return nil, err
		}
		cert, key, err := certificateFiles(dir)
		if err != nil {
			return nil, err
		}
		serving, err1 := configFile(
			dir, "server.yaml", fmt.Sprintf("servers:\n  payments: {carriers: [token], tls: {cert: %q, key: %q}}\n", cert, key),
		)
		calling, err2 := configFile(
			dir, "client.yaml", fmt.Sprintf("clients:\n  payments: {mode: token, ca_file: %q}\n", cert),
		)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return openParley(ctx, dir, append(slices.Clip(options), serving), append(slices.Clip(options), calling))
	}
}

func configFile(dir, name, text string) (framework.Option, error) {
	path := filepath.Join(dir, name)
	return framework.WithConfigFile(path), os.WriteFile(path, []byte(text), 0o600)
}

// openParley removes dir in the end.
func openParley(ctx context.Context, dir string, serving, calling []framework.Option) (*stack, error) {
	paymentsID, err1 := identity(dir, "payments")
	ordersID, err2 := identity(dir, "orders")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	quiet := framework.WithLogger(slog.New(slog.DiscardHandler))
	server := framework.New("payments", append(slices.Clip(serving), framework.WithIdentity(paymentsID), quiet)...)
	listening := server.Server("127.0.0.1:0")
	paymentsv1.RegisterPaymentsServiceServer(listening, handler{})
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	select {
	case <-server.Ready():
	case err := <-ended:
		stop()
		return nil, err
	}
	client := framework.New("orders", append(slices.Clip(calling), framework.WithIdentity(ordersID), quiet)...)
	conn := client.Client("payments", framework.WithTarget(listening.Addr().String()))
	return &stack{client: paymentsv1.NewPaymentsServiceClient(conn), close: func() error {
		err := client.Close()
		stop()
		return errors.Join(err, <-ended, ordersID.Close(), paymentsID.Close(), os.RemoveAll(dir))
	}}, nil
}

func identity(dir, name string) (*auth.Identity, error) {
	id, err := principal.ParseID("spiffe://bench.example/" + name)
	if err != nil {
		return nil, err
	}
	i := auth.TrustDir(dir, id, auth.WithEnroll())
	return i, i.Check()
}
