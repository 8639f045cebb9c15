package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// floors are what one pays for the same without any framework: the least code on plain grpc-go that does what the name
// says.
func floors() []maker {
	return []maker{
		{"floor: deadline of the attempt", onGRPC(floorDeadline)},
		{"floor: deadline, trailer, peer, trace context", onGRPC(floorTraced)},
		{"floor: the same, with a token sent and a proof received", onGRPC(floorProven)},
		{"floor: deadline, trailer, peer, trace context, measured, workers", onGRPC(floorMeasured)},
		{"floor: the same, with a token sent and a proof received, measured, workers", onGRPC(floorProvenMeasured)},
		{"floor: deadline, trailer, peer, three spans", onGRPC(floorSpans)},
	}
}

func floorDeadline(context.Context) (ends, error) {
	return ends{dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
		func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			return invoker(ctx, method, req, reply, cc, opts...)
		})}}, nil
}

func floorTraced(context.Context) (ends, error) {
	return ends{
		dial: []grpc.DialOption{grpc.WithUnaryInterceptor(floorAttempt)},
		serve: []grpc.ServerOption{grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				return handler(floorReceive(ctx), req)
			})},
	}, nil
}

// floorAttempt ends in time, sends an ID, and learns the endpoint and the trailer, which retry needs.
func floorAttempt(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var p peer.Peer
	var trailer metadata.MD
	return sendTraceContext(ctx, method, req, reply, cc, invoker, append(opts, grpc.Peer(&p), grpc.Trailer(&trailer))...)
}

// floorCredentials are the metadata of token mode, the same in each call. They are not verified.
func floorCredentials() grpc.DialOption {
	return grpc.WithPerRPCCredentials(bearer{
		"authorization": "Bearer " + strings.Repeat("t", 500), "parley-nonce": strings.Repeat("n", 22),
	})
}

func floorProof() metadata.MD { return metadata.Pairs("parley-proof", strings.Repeat("p", 500)) }

// floorProven carries what token mode does.
func floorProven(context.Context) (ends, error) {
	proof := floorProof()
	return ends{
		dial: []grpc.DialOption{floorCredentials(), grpc.WithUnaryInterceptor(
			func(
				ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				var header metadata.MD
				return floorAttempt(ctx, method, req, reply, cc, invoker, append(opts, grpc.Header(&header))...)
			})},
		serve: []grpc.ServerOption{grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				if err := grpc.SetHeader(ctx, proof); err != nil {
					return nil, err
				}
				return handler(floorReceive(ctx), req)
			})},
	}, nil
}

type traceKey struct{}

func floorReceive(ctx context.Context) context.Context {
	if parents := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(parents) == 1 {
		return context.WithValue(ctx, traceKey{}, parents[0])
	}
	return ctx
}

// floorWorkers are as many as a server of the framework has.
func floorWorkers() grpc.ServerOption { return grpc.NumStreamWorkers(32) }

// floorMeters make the four measurements that Parley makes of each call, with attributes made beforehand.
type floorMeters struct {
	call, attempt, served metric.Float64Histogram
	started               metric.Int64Counter
	adding                []metric.AddOption
	recording             []metric.RecordOption
}

func newFloorMeters() (*floorMeters, error) {
	meter := scraped().Meter("floor")
	set := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("rpc.system.name", "grpc"),
		attribute.String("rpc.method", "shop.payments.v1.PaymentsService/GetQuote"),
		attribute.String("server.address", "127.0.0.1"), attribute.String("rpc.status_code", "OK")))
	m := &floorMeters{adding: []metric.AddOption{set}, recording: []metric.RecordOption{set}}
	var errs [4]error
	m.call, errs[0] = meter.Float64Histogram("rpc.client.call.duration")
	m.started, errs[1] = meter.Int64Counter("grpc.client.attempt.started")
	m.attempt, errs[2] = meter.Float64Histogram("grpc.client.attempt.duration")
	m.served, errs[3] = meter.Float64Histogram("rpc.server.call.duration")
	return m, errors.Join(errs[:]...)
}

func (m *floorMeters) start(ctx context.Context) time.Time {
	m.started.Add(ctx, 1, m.adding...)
	return time.Now()
}

func (m *floorMeters) end(ctx context.Context, began time.Time) {
	took := time.Since(began).Seconds()
	m.attempt.Record(ctx, took, m.recording...)
	m.call.Record(ctx, took, m.recording...)
}

func (m *floorMeters) serve(ctx context.Context, req any, handler grpc.UnaryHandler) (any, error) {
	began := time.Now()
	reply, err := handler(floorReceive(ctx), req)
	m.served.Record(ctx, time.Since(began).Seconds(), m.recording...)
	return reply, err
}

func floorMeasured(context.Context) (ends, error) {
	m, err := newFloorMeters()
	if err != nil {
		return ends{}, err
	}
	return ends{
		dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
			func(
				ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				defer m.end(ctx, m.start(ctx))
				return floorAttempt(ctx, method, req, reply, cc, invoker, opts...)
			})},
		serve: []grpc.ServerOption{floorWorkers(), grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				return m.serve(ctx, req, handler)
			})},
	}, nil
}

// floorProvenMeasured does the work of the row in token mode: what it sends, receives and measures.
func floorProvenMeasured(context.Context) (ends, error) {
	m, err := newFloorMeters()
	if err != nil {
		return ends{}, err
	}
	proof := floorProof()
	return ends{
		dial: []grpc.DialOption{floorCredentials(), grpc.WithUnaryInterceptor(
			func(
				ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				defer m.end(ctx, m.start(ctx))
				var header metadata.MD
				return floorAttempt(ctx, method, req, reply, cc, invoker, append(opts, grpc.Header(&header))...)
			})},
		serve: []grpc.ServerOption{floorWorkers(), grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				if err := grpc.SetHeader(ctx, proof); err != nil {
					return nil, err
				}
				return m.serve(ctx, req, handler)
			})},
	}, nil
}

// floorSpans makes the three spans of a sampled call, with the attributes that they always have.
func floorSpans(context.Context) (ends, error) {
	t := sampleAll().Tracer("floor")
	const method = "shop.payments.v1.PaymentsService/GetQuote"
	about := []attribute.KeyValue{attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", method)}
	called := append(about, attribute.String("server.address", "127.0.0.1"), attribute.Int("server.port", 1))
	client := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(called...)}
	server := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			append(about, attribute.String("network.peer.address", "127.0.0.1"), attribute.Int("network.peer.port", 1))...,
		),
	}
	ended := attribute.String("rpc.status_code", "OK")
	return ends{
		dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
			func(
				ctx context.Context, name string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				ctx, call := t.Start(ctx, method, client...)
				ctx, attempt := t.Start(ctx, method, client...)
				err := floorAttempt(ctx, name, req, reply, cc, invoker, opts...)
				attempt.SetAttributes(
					ended, attribute.String("network.peer.address", "127.0.0.1"), attribute.Int("network.peer.port", 1),
				)
				attempt.End()
				call.SetAttributes(ended, attribute.Int("attempts", 1))
				call.End()
				return err
			})},
		serve: []grpc.ServerOption{grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				ctx, span := t.Start(floorReceive(ctx), method, server...)
				reply, err := handler(ctx, req)
				span.SetAttributes(ended)
				span.End()
				return reply, err
			})},
	}, nil
}
