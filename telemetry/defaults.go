package telemetry

const (
	// Where spans and metrics are sent over gRPC when an exporter is asked for without an endpoint.
	defaultEndpointGRPC = "http://localhost:4317"
	// Where spans and metrics are sent over HTTP when an exporter is asked for without an endpoint.
	defaultEndpointHTTP = "http://localhost:4318"
	// How spans and metrics are sent.
	defaultProtocol = protocolHTTP
	// Which calls are sampled.
	defaultSampler = "parentbased_always_on"
	// Which part of the traces the sampler traceidratio samples.
	defaultRatio = 1.0
	// What is carried from client to server.
	defaultPropagators = "tracecontext,baggage"
)
