package vocabulary

// Kind is the kind of an instrument.
type Kind string

// The kinds of instruments.
const (
	Histogram Kind = "histogram"
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
)

// Instrument is one metric.
type Instrument struct {
	// Name is the name in OpenTelemetry.
	Name string
	// Kind is the kind of its instrument.
	Kind Kind
	// Unit is its unit as UCUM writes it: "s", "By", "{call}".
	Unit string
	// Attributes are the keys of its attributes.
	Attributes []string
	// Meaning describes what it measures. It is also the description of the instrument.
	Meaning string
}

// Names of metrics. Those that begin with rpc, go or process are of the OpenTelemetry semantic conventions 1.45, those
// that begin with grpc of the gRFCs A66 and A96.
const (
	MetricClientCallDuration    = "rpc.client.call.duration"
	MetricClientAttemptStarted  = "grpc.client.attempt.started"
	MetricClientAttemptDuration = "grpc.client.attempt.duration"
	MetricServerCallDuration    = "rpc.server.call.duration"

	MetricCallRetries     = "grpc.client.call.retries"
	MetricCallHedges      = "grpc.client.call.hedges"
	MetricCallRetryDelay  = "grpc.client.call.retry_delay"
	MetricBudgetAvailable = "parley.client.retry.budget.available"
	MetricBudgetSpent     = "parley.client.retry.budget.spent"
	MetricBudgetRefused   = "parley.client.retry.budget.refused"
	MetricSuppressed      = "parley.client.retry.suppressed"
	MetricEndpoints       = "parley.client.endpoints"

	MetricRefusals    = "parley.server.auth.refusals"
	MetricHandshakes  = "parley.auth.handshakes"
	MetricConnections = "parley.auth.connections"
	MetricTrustKeys   = "parley.auth.trust.keys"
	MetricTrustAge    = "parley.auth.trust.age"
	MetricTrustLeft   = "parley.auth.trust.left"
	MetricTrustFilled = "parley.auth.trust.filled"

	MetricInstances    = "parley.discovery.instances"
	MetricDiscoveryAge = "parley.discovery.age"

	MetricConfigGeneration = "parley.config.generation"
	MetricConfigAge        = "parley.config.age"
	MetricConfigFailing    = "parley.config.failing"
	MetricConfigPending    = "parley.config.pending"

	MetricMemoryUsed      = "go.memory.used"
	MetricMemoryLimit     = "go.memory.limit"
	MetricMemoryAllocated = "go.memory.allocated"
	MetricAllocations     = "go.memory.allocations"
	MetricCollectorGoal   = "go.memory.gc.goal"
	MetricCollections     = "go.memory.gc.cycles"
	MetricGoroutines      = "go.goroutine.count"
	MetricProcessors      = "go.processor.limit"
	MetricUptime          = "process.uptime"
	MetricCPUTime         = "process.cpu.time"
	MetricProcessMemory   = "process.memory.usage"
	MetricThreads         = "process.thread.count"
	MetricDescriptors     = "process.unix.file_descriptor.count"
)

// Metrics returns all metrics of Parley, in the order of the documentation.
func Metrics() []Instrument {
	conventional := []string{AttrMethod, AttrStatusCode, AttrErrorType}
	target := []string{LabelTarget}
	call := []string{LabelMethod, LabelTarget}
	source := []string{LabelConfigSource}
	return []Instrument{
		{
			MetricClientCallDuration, Histogram, "s", append(conventional[:3:3], AttrServerAddress, AttrServerPort),
			"How long a call took, with all its attempts and the waits between them. Once per call.",
		},
		{MetricClientAttemptStarted, Counter, "{attempt}", call, "Attempts that were started."},
		{MetricClientAttemptDuration, Histogram, "s", append(call[:2:2], LabelStatus), "How long an attempt took."},
		{MetricServerCallDuration, Histogram, "s", conventional, "How long the server worked on a call."},
		{MetricCallRetries, Histogram, "{retry}", call, "Retries of a call. Once per call that had any (gRFC A96)."},
		{MetricCallHedges, Histogram, "{hedge}", call, "Hedges of a call. Once per call that had any (gRFC A96)."},
		{
			MetricCallRetryDelay, Histogram, "s", call,
			"How long a call waited between attempts. Once per call that waited (gRFC A96).",
		},
		{MetricBudgetAvailable, Gauge, "{retry}", target, "Retries and hedges that the budget would pay for now."},
		{MetricBudgetSpent, Counter, "{retry}", target, "Retries and hedges that the budget has paid for."},
		{MetricBudgetRefused, Counter, "{retry}", target, "Retries and hedges that the budget has refused to pay for."},
		{
			MetricSuppressed, Counter, "{call}",
			[]string{LabelTarget, AttrReason},
			"Failed calls that had no further attempt because the retrier withheld it.",
		},
		{
			MetricEndpoints, Gauge, "{endpoint}",
			[]string{LabelTarget, LabelEndpointState},
			"Endpoints that the clients of a target connect to. Channels that a control plane balances are not counted.",
		},
		{
			MetricRefusals, Counter, "{call}",
			[]string{AttrAuthReason, LabelDryRun},
			"Calls that the server refused, or would have refused by a policy on trial.",
		},
		{MetricHandshakes, Counter, "{handshake}", []string{LabelRole, LabelOutcome}, "Handshakes that ended."},
		{MetricConnections, Gauge, "{connection}", []string{LabelRole}, "Open connections on which both ends are proven."},
		{MetricTrustKeys, Gauge, "{key}", []string{LabelTrustOf}, "Trusted keys."},
		{MetricTrustAge, Gauge, "s", []string{LabelTrustOf}, "Time since the trusted keys were last read."},
		{
			MetricTrustLeft, Gauge, "s",
			[]string{LabelTrustOf},
			"Time until the trusted keys are too old, if they are not read again.",
		},
		{
			MetricTrustFilled, Gauge, "1",
			[]string{LabelTrustOf},
			"Share of the files that the trust directory may have. A full directory refuses further names.",
		},
		{MetricInstances, Gauge, "{instance}", []string{LabelService}, "Instances of a service that can be called."},
		{
			MetricDiscoveryAge, Gauge, "s",
			[]string{LabelService},
			"Time since discovery last confirmed the instances of a service; 0 while it confirms them.",
		},
		{
			MetricConfigGeneration, Gauge, "{generation}", source,
			"Contents of the configuration file or policy source that have been in force, including that at the start.",
		},
		{
			MetricConfigAge, Gauge, "s", source,
			"Time since the content of the configuration file or policy source took effect.",
		},
		{
			MetricConfigFailing, Gauge, "s", source,
			"Time since the configuration file or policy source went missing or bad, so that an older content is in force; " +
				"0 while it is good.",
		},
		{
			MetricConfigPending, Gauge, "s", source,
			"Time since the configuration file has changes that take effect at the next start; 0 without such changes.",
		},
		{MetricMemoryUsed, Gauge, "By", []string{LabelMemoryType}, "Memory that the Go runtime uses."},
		{MetricMemoryLimit, Gauge, "By", nil, "The memory limit of the Go runtime, if there is one (GOMEMLIMIT)."},
		{MetricMemoryAllocated, Counter, "By", nil, "Memory that was allocated on the heap."},
		{MetricAllocations, Counter, "{allocation}", nil, "Allocations on the heap."},
		{MetricCollectorGoal, Gauge, "By", nil, "The size of the heap at the end of the next garbage collection."},
		{MetricCollections, Counter, "{gc_cycle}", nil, "Garbage collections that ended."},
		{MetricGoroutines, Gauge, "{goroutine}", nil, "Goroutines that exist."},
		{MetricProcessors, Gauge, "{thread}", nil, "Threads that may run Go code at the same time (GOMAXPROCS)."},
		{MetricUptime, Gauge, "s", nil, "Time since the telemetry of the process was set up."},
		{MetricCPUTime, Counter, "s", []string{LabelCPUMode}, "CPU time of the process. On Linux."},
		{MetricProcessMemory, Gauge, "By", nil, "Memory of the process that is in RAM. On Linux."},
		{MetricThreads, Gauge, "{thread}", nil, "Threads of the process. On Linux."},
		{MetricDescriptors, Gauge, "{file_descriptor}", nil, "Open file descriptors of the process. On Linux."},
	}
}
