package main

import (
	"context"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	experimental "google.golang.org/grpc/experimental/opentelemetry"
	"google.golang.org/grpc/stats/opentelemetry"
)

// peers are what else measures and traces gRPC calls, each alone on plain grpc-go.
func peers() []maker {
	return []maker{
		{"peer: otelgrpc, nothing sampled", onGRPC(otelgrpcEnds(sampleNone))},
		{"peer: otelgrpc, every call sampled", onGRPC(otelgrpcEnds(sampleAll))},
		{"peer: stats/opentelemetry, nothing sampled", onGRPC(statsEnds(sampleNone))},
		{"peer: stats/opentelemetry, every call sampled", onGRPC(statsEnds(sampleAll))},
		{"peer: go-grpc-middleware prometheus, metrics only", onGRPC(prometheusEnds)},
	}
}

func sampleNone() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
}

// scraped measures for a scraper.
func scraped() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

func otelgrpcEnds(sampling func() *sdktrace.TracerProvider) func(context.Context) (ends, error) {
	return func(context.Context) (ends, error) {
		options := []otelgrpc.Option{
			otelgrpc.WithTracerProvider(sampling()),
			otelgrpc.WithMeterProvider(scraped()),
			otelgrpc.WithPropagators(propagation.TraceContext{}),
		}
		return ends{
			dial:  []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(options...))},
			serve: []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(options...))},
		}, nil
	}
}

func statsEnds(sampling func() *sdktrace.TracerProvider) func(context.Context) (ends, error) {
	return func(context.Context) (ends, error) {
		options := opentelemetry.Options{
			MetricsOptions: opentelemetry.MetricsOptions{MeterProvider: scraped()},
			TraceOptions:   experimental.TraceOptions{TracerProvider: sampling(), TextMapPropagator: propagation.TraceContext{}},
		}
		return ends{
			dial:  []grpc.DialOption{opentelemetry.DialOption(options)},
			serve: []grpc.ServerOption{opentelemetry.ServerOption(options)},
		}, nil
	}
}

func prometheusEnds(context.Context) (ends, error) {
	registry := prometheus.NewRegistry()
	client := grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram())
	server := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	for _, c := range []prometheus.Collector{client, server} {
		if err := registry.Register(c); err != nil {
			return ends{}, err
		}
	}
	return ends{
		dial:  []grpc.DialOption{grpc.WithUnaryInterceptor(client.UnaryClientInterceptor())},
		serve: []grpc.ServerOption{grpc.UnaryInterceptor(server.UnaryServerInterceptor())},
	}, nil
}
