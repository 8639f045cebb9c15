package telemetry

import (
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// sampling is a sampler and its description.
type sampling struct {
	sdktrace.Sampler
	text string
}

// sampler returns the sampler for OTEL_TRACES_SAMPLER and its argument.
func (e *environment) sampler() sampling {
	const name, arg = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	chosen := e.choice(name, "always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")
	if chosen == "" {
		chosen = defaultSampler
	}
	root, parentBased := strings.CutPrefix(chosen, "parentbased_")
	s := sampling{text: chosen}
	switch root {
	case "always_on":
		s.Sampler = sdktrace.AlwaysSample()
	case "always_off":
		s.Sampler = sdktrace.NeverSample()
	default:
		ratio := e.ratio(arg)
		s.Sampler = sdktrace.TraceIDRatioBased(ratio)
		s.text += " " + strconv.FormatFloat(ratio, 'g', -1, 64)
	}
	if root != "traceidratio" && e.get(arg) != "" {
		e.refuse(arg, nil, "the sampler %s takes no argument; set %s=parentbased_traceidratio, or unset this variable",
			chosen, name)
	}
	if parentBased {
		s.Sampler = sdktrace.ParentBased(s.Sampler)
	}
	return s
}

func (e *environment) ratio(name string) float64 {
	value := e.get(name)
	if value == "" {
		return defaultRatio
	}
	ratio, err := strconv.ParseFloat(value, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		e.refuse(name, err, "not a ratio; write a number from 0 to 1")
		return defaultRatio
	}
	return ratio
}
