package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
)

// VariableError is a mistake in one environment variable, with the remedy.
type VariableError struct {
	// Name is the name of the variable.
	Name string
	// Value is the value of the variable.
	Value string
	// Problem describes the mistake and the remedy.
	Problem string
	// Cause is the error that refused the value, or nil.
	Cause error
}

// Error returns the variable, its value, the mistake and the remedy.
func (e *VariableError) Error() string { return fmt.Sprintf("%s=%q: %s", e.Name, e.Value, e.Problem) }

// Unwrap returns the cause.
func (e *VariableError) Unwrap() error { return e.Cause }

// environment reads variables and collects their mistakes. An empty variable counts as not set.
type environment struct {
	lookup   func(string) (string, bool)
	mistakes []*VariableError
}

func (e *environment) err() error {
	errs := make([]error, len(e.mistakes))
	for i, mistake := range e.mistakes {
		errs[i] = mistake
	}
	return errors.Join(errs...)
}

func (e *environment) get(name string) string {
	value, _ := e.lookup(name)
	return strings.TrimSpace(value)
}

// refuse records a mistake. Variables for both signals are read twice and refused once.
func (e *environment) refuse(name string, cause error, problem string, args ...any) {
	e.add(&VariableError{Name: name, Value: e.get(name), Problem: fmt.Sprintf(problem, args...), Cause: cause})
}

func (e *environment) add(mistake *VariableError) {
	for _, known := range e.mistakes {
		if known.Name == mistake.Name && known.Problem == mistake.Problem {
			return
		}
	}
	e.mistakes = append(e.mistakes, mistake)
}

// choice returns the value of the variable, which must be one of the choices, or "" if it is not set.
func (e *environment) choice(name string, choices ...string) string {
	value := strings.ToLower(e.get(name))
	if value != "" && !slices.Contains(choices, value) {
		e.refuse(name, nil, "not supported; use %s", orList(choices))
		return ""
	}
	return value
}

func orList(choices []string) string {
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

func (e *environment) boolean(name string) bool {
	return e.choice(name, "true", "false") == "true"
}

// url returns the URL in the variable, or nil if it is not set.
func (e *environment) url(name string) *url.URL {
	value := e.get(name)
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return u
	}
	shown, remedy := withoutUser(value), "https://collector:4317"
	if !strings.Contains(shown, "://") {
		remedy = "http://" + shown
	}
	e.add(&VariableError{Name: name, Value: shown, Problem: "not an http or https URL; write " + remedy + ", say"})
	return nil
}

// withoutUser hides the part of a URL that may contain a password. The URL may be invalid.
func withoutUser(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	} else {
		scheme += "://"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		return scheme + "xxxxx" + rest[at:]
	}
	return url
}

// resource returns the resource of the service: its name, and the attributes from the environment.
func (e *environment) resource(service string) resource.Option {
	const list = "OTEL_RESOURCE_ATTRIBUTES"
	name := attribute.String("service.name", service)
	var attributes []attribute.KeyValue
	for entry := range strings.SplitSeq(e.get(list), ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		key, text, ok := strings.Cut(entry, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(text))
		switch {
		case !ok || key == "":
			e.refuse(list, nil, "%q is not key=value; separate entries by commas, and write a comma within a value as %%2C",
				strings.TrimSpace(entry))
		case err != nil:
			e.refuse(list, err, "the value of %s is not percent-encoded; write %% as %%25", key)
		default:
			attributes = append(attributes, attribute.String(key, value))
		}
	}
	attributes = append([]attribute.KeyValue{name}, attributes...)
	if replaced := e.get("OTEL_SERVICE_NAME"); replaced != "" {
		attributes = append(attributes, attribute.String("service.name", replaced))
	}
	set := attribute.NewSet(attributes...)
	if value, _ := set.Value("service.name"); value.AsString() == "" {
		e.refuse("OTEL_SERVICE_NAME", nil, "the service has no name; set this variable, or give telemetry.New a name")
	}
	return resource.WithAttributes(set.ToSlice()...)
}

// propagator returns the propagator for OTEL_PROPAGATORS.
func (e *environment) propagator() propagation.TextMapPropagator {
	const name = "OTEL_PROPAGATORS"
	listed := e.get(name)
	if listed == "" {
		listed = defaultPropagators
	}
	var parts []propagation.TextMapPropagator
	var names []string
	for entry := range strings.SplitSeq(listed, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" || slices.Contains(names, entry) {
			continue
		}
		names = append(names, entry)
		switch entry {
		case "tracecontext":
			parts = append(parts, propagation.TraceContext{})
		case "baggage":
			parts = append(parts, propagation.Baggage{})
		case "none":
		default:
			e.refuse(name, nil, "%s is not supported; list tracecontext and baggage, or none", entry)
		}
	}
	if slices.Contains(names, "none") && len(names) > 1 {
		e.refuse(name, nil, "none excludes all others; drop it, or them")
	}
	return propagation.NewCompositeTextMapPropagator(parts...)
}
