package telemetry

import (
	"net/url"
	"testing"
)

// FuzzEnvironment says that every environment is either refused by the name of a variable or understood whole.
func FuzzEnvironment(f *testing.F) {
	f.Add("service.version=1,a=b%2Cc", "http://collector:4318/base", "traceidratio", "0.5", "tracecontext,baggage")
	f.Add("=,", "collector:4317", "always_on", "1", "none,none")
	f.Add("a=%zz", "http://[::1", "parentbased_traceidratio", "0x1p-2", ",")
	f.Fuzz(func(t *testing.T, attributes, endpoint, sampler, arg, propagators string) {
		env := &environment{lookup: func(name string) (string, bool) {
			switch name {
			case "OTEL_RESOURCE_ATTRIBUTES":
				return attributes, true
			case "OTEL_EXPORTER_OTLP_ENDPOINT":
				return endpoint, true
			case "OTEL_TRACES_SAMPLER":
				return sampler, true
			case "OTEL_TRACES_SAMPLER_ARG":
				return arg, true
			case "OTEL_PROPAGATORS":
				return propagators, true
			}
			return "", false
		}}
		env.resource("orders")
		env.propagator()
		chosen := env.sampler()
		traces := env.traces()
		if env.err() == nil {
			if u, err := url.Parse(traces.endpoint); err != nil || u.Host == "" {
				t.Errorf("understood the endpoint %q as %q", endpoint, traces.endpoint)
			}
			if chosen.Sampler == nil {
				t.Errorf("understood the sampler %q as none", sampler)
			}
		}
		for _, mistake := range env.mistakes {
			if mistake.Name == "" || mistake.Problem == "" {
				t.Errorf("a mistake without a name: %v", mistake)
			}
		}
	})
}
