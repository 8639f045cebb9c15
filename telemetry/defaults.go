package telemetry

const (
	// The default endpoint over gRPC, if an exporter is set without an endpoint.
	defaultEndpointGRPC = "http://localhost:4317"
	// The default endpoint over HTTP, if an exporter is set without an endpoint.
	defaultEndpointHTTP = "http://localhost:4318"
	// The default protocol.
	defaultProtocol = protocolHTTP
	// The default sampler.
	defaultSampler = "parentbased_always_on"
	// The default ratio of the sampler traceidratio.
	defaultRatio = 1.0
	// The default propagators.
	defaultPropagators = "tracecontext,baggage"
)
