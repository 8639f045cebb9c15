package tracing

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

func run() {
	otel.SetTracerProvider(nil)  // want `otel.SetTracerProvider is not used here`
	_ = otel.GetTracerProvider() // want `otel.GetTracerProvider is not used here`
	_ = otel.Tracer("")          // want `otel.Tracer is not used here`
	_ = otel.Version()
	prometheus.MustRegister()      // want `prometheus.MustRegister is not used here`
	_ = prometheus.DefaultGatherer // want `prometheus.DefaultGatherer is not used here`
	_ = prometheus.NewRegistry()
	resolver.Register(nil) // want `resolver.Register is not used here`
	balancer.Register(nil) // want `balancer.Register is not used here`
}

func init() { balancer.Register(nil) }
