package telemetry

import (
	"net/url"
	"strings"
)

const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"

	exporterOTLP       = "otlp"
	exporterPrometheus = "prometheus"
	exporterNone       = "none"
)

// signal is the destination of spans or metrics.
type signal struct {
	name     string // "traces" or "metrics"
	sent     bool   // over OTLP
	scraped  bool
	off      bool
	protocol string
	endpoint string
	shown    string // the endpoint without secrets
}

func (e *environment) traces() signal {
	s := e.otlp("traces")
	switch chosen := e.choice("OTEL_TRACES_EXPORTER", exporterOTLP, exporterNone); chosen {
	case "":
	default:
		s.sent = chosen == exporterOTLP
	}
	return s
}

func (e *environment) metrics() signal {
	s := e.otlp("metrics")
	switch chosen := e.choice("OTEL_METRICS_EXPORTER", exporterOTLP, exporterPrometheus, exporterNone); chosen {
	case "":
	default:
		s.sent, s.off = chosen == exporterOTLP, chosen == exporterNone
	}
	s.scraped = !s.off
	return s
}

// otlp returns the destination of a signal, which is sent if the environment has an endpoint.
func (e *environment) otlp(name string) signal {
	const prefix = "OTEL_EXPORTER_OTLP_"
	infix := strings.ToUpper(name) + "_"
	s := signal{name: name}
	general, own := e.choice(prefix+"PROTOCOL", protocolGRPC, protocolHTTP), e.choice(prefix+infix+"PROTOCOL",
		protocolGRPC, protocolHTTP)
	for _, s.protocol = range []string{own, general, defaultProtocol} {
		if s.protocol != "" {
			break
		}
	}
	if u := e.url(prefix + infix + "ENDPOINT"); u != nil {
		s.sent, s.endpoint, s.shown = true, u.String(), u.Redacted()
		return s
	}
	u := e.url(prefix + "ENDPOINT")
	if s.sent = u != nil; !s.sent {
		u, _ = url.Parse(defaultEndpointHTTP)
		if s.protocol == protocolGRPC {
			u, _ = url.Parse(defaultEndpointGRPC)
		}
	}
	if s.protocol == protocolHTTP {
		u = u.JoinPath("v1", s.name)
	}
	s.endpoint, s.shown = u.String(), u.Redacted()
	return s
}

// String describes the destination.
func (s signal) String() string {
	var to []string
	if s.sent {
		to = append(to, "sent to "+s.shown+" by OTLP "+s.protocol)
	}
	if s.scraped {
		to = append(to, "scraped by Prometheus")
	}
	if len(to) == 0 {
		return s.name + " not exported"
	}
	return s.name + " " + strings.Join(to, ", ")
}
