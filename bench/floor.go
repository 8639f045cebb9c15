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
		{"floor: deadline, trailer, peer, trace context, measured", onGRPC(floorMeasured)},
		{"floor: deadline, trailer, peer, three spans", onGRPC(floorSpans)},
	}
}

func floorDeadline(context.Context) (ends, error) {
	return ends{dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
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
func floorAttempt(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var p peer.Peer
	var trailer metadata.MD
	return sendTraceContext(ctx, method, req, reply, cc, invoker, append(opts, grpc.Peer(&p), grpc.Trailer(&trailer))...)
}

// floorProven carries what token mode does, the same in each call, and looks at none of it.
func floorProven(context.Context) (ends, error) {
	proof := metadata.Pairs("parley-proof", strings.Repeat("p", 500))
	return ends{
		dial: []grpc.DialOption{
			grpc.WithPerRPCCredentials(bearer{"authorization": "Bearer " + strings.Repeat("t", 500), "parley-nonce": strings.Repeat("n", 22)}),
			grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				var header metadata.MD
				return floorAttempt(ctx, method, req, reply, cc, invoker, append(opts, grpc.Header(&header))...)
			}),
		},
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

// floorMeasured makes the four measurements that Parley makes of each call, with attributes made beforehand.
func floorMeasured(context.Context) (ends, error) {
	meter := scraped().Meter("floor")
	call, err1 := meter.Float64Histogram("rpc.client.call.duration")
	started, err2 := meter.Int64Counter("grpc.client.attempt.started")
	attempt, err3 := meter.Float64Histogram("grpc.client.attempt.duration")
	served, err4 := meter.Float64Histogram("rpc.server.call.duration")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return ends{}, err
	}
	set := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", "shop.payments.v1.PaymentsService/GetQuote"),
		attribute.String("server.address", "127.0.0.1"), attribute.String("rpc.status_code", "OK")))
	adding, recording := []metric.AddOption{set}, []metric.RecordOption{set}
	return ends{
		dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				began := time.Now()
				started.Add(ctx, 1, adding...)
				err := floorAttempt(ctx, method, req, reply, cc, invoker, opts...)
				took := time.Since(began).Seconds()
				attempt.Record(ctx, took, recording...)
				call.Record(ctx, took, recording...)
				return err
			})},
		serve: []grpc.ServerOption{grpc.UnaryInterceptor(
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				began := time.Now()
				reply, err := handler(floorReceive(ctx), req)
				served.Record(ctx, time.Since(began).Seconds(), recording...)
				return reply, err
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
	server := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(append(about, attribute.String("network.peer.address", "127.0.0.1"), attribute.Int("network.peer.port", 1))...)}
	ended := attribute.String("rpc.status_code", "OK")
	return ends{
		dial: []grpc.DialOption{grpc.WithUnaryInterceptor(
			func(ctx context.Context, name string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				ctx, call := t.Start(ctx, method, client...)
				ctx, attempt := t.Start(ctx, method, client...)
				err := floorAttempt(ctx, name, req, reply, cc, invoker, opts...)
				attempt.SetAttributes(ended, attribute.String("network.peer.address", "127.0.0.1"), attribute.Int("network.peer.port", 1))
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
