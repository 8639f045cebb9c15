package tracing

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const goodParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestParseTraceparent(t *testing.T) {
	for _, test := range []struct {
		name, text string
		ok         bool
	}{
		{"sampled", goodParent, true},
		{"not sampled", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true},
		{"random trace ID", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", true},
		{"later version", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09", true},
		{"later version with more", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-will-be", true},
		{"later version with more, unseparated", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01what", false},
		{"version 00 with more", goodParent + "-00", false},
		{"version 00 with unknown flags", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09", false},
		{"forbidden version", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
		{"upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
		{"no trace ID", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
		{"no span ID", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
		{"too short", goodParent[:54], false},
		{"not hexadecimal", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
		{"other separators", "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01", false},
		{"empty", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			sc, ok := parseTraceparent(test.text)
			if ok != test.ok {
				t.Fatalf("parseTraceparent(%q) = %v", test.text, ok)
			}
			if ok && test.text[:2] == "00" && formatTraceparent(trace.NewSpanContext(sc)) != test.text {
				t.Errorf("%q became %q", test.text, formatTraceparent(trace.NewSpanContext(sc)))
			}
		})
	}
}

// FuzzTraceparent holds our reading and writing of a traceparent against OpenTelemetry's, which lets a separator at the
// end of version 00 pass.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{
		goodParent, "cc" + goodParent[2:] + "-more", "ff" + goodParent[2:], goodParent + "-",
		"00--", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) == traceparentLength+1 && strings.HasPrefix(text, "00") && strings.HasSuffix(text, "-") {
			return
		}
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparentHeader: text})
		want := trace.SpanContextFromContext(ctx)
		config, ok := parseTraceparent(text)
		if !ok {
			config = trace.SpanContextConfig{}
		}
		config.Remote = ok
		got := trace.NewSpanContext(config)
		if ok != want.IsValid() || ok && !got.Equal(want) {
			t.Fatalf("%q: read %v, want %v", text, got, want)
		}
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		if ok && formatTraceparent(got) != carrier[traceparentHeader] {
			t.Fatalf("wrote %q, want %q", formatTraceparent(got), carrier[traceparentHeader])
		}
	})
}

// TestKeys says that the keys under which OpenTelemetry and gRPC keep what we read are found. Without them everything
// works, at a higher cost.
func TestKeys(t *testing.T) {
	h := newHeaders(nil)
	if spanKey() == nil || h.incoming == nil || h.outgoing == nil {
		t.Errorf("keys %v, %v, %v", spanKey(), h.incoming, h.outgoing)
	}
}

func TestServerAddress(t *testing.T) {
	for _, test := range []struct {
		target, canonical string
		host              string
		port              int
	}{
		{"payments:8443", "dns:///payments:8443", "payments", 8443},
		{"payments", "dns:///payments", "payments", 0},
		{"dns://10.0.0.53/payments:8443", "dns://10.0.0.53/payments:8443", "payments", 8443},
		{"parley:///payments", "parley:///payments", "payments", 0},
		{"passthrough:///[::1]:443", "passthrough:///[::1]:443", "::1", 443},
		{"passthrough:///payments:https", "passthrough:///payments:https", "payments:https", 0},
		{"static:///10.0.0.1:1,10.0.0.2:2", "static:///10.0.0.1:1,10.0.0.2:2", "10.0.0.1:1,10.0.0.2:2", 0},
		{"unix:///run/payments.sock", "unix:///run/payments.sock", "/run/payments.sock", 0},
		{"unix:payments.sock", "unix:///payments.sock", "payments.sock", 0},
		{"", "", "", 0},
	} {
		if host, port := serverAddress(test.target, test.canonical); host != test.host || port != test.port {
			t.Errorf("serverAddress(%q) = %q, %d, want %q, %d", test.target, host, port, test.host, test.port)
		}
	}
}

// However the address of a peer is taken apart, its host and port are those of its text.
func TestPeerAddress(t *testing.T) {
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8443},
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7).To4(), Port: 8443},
		&net.TCPAddr{IP: net.IPv6loopback, Port: 8443},
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 8443, Zone: "eth0"},
		&net.TCPAddr{Port: 8443},
		&net.TCPAddr{IP: net.IPv6loopback},
		&net.UnixAddr{Name: "/run/payments.sock", Net: "unix"},
		&net.IPAddr{IP: net.IPv4(10, 0, 0, 7)},
	} {
		wantHost, wantPort := splitAddress(addr.String())
		if host, port := hostPort(addr); host != wantHost || port != wantPort {
			t.Errorf("hostPort(%s) = %q, %d, want %q, %d", addr, host, port, wantHost, wantPort)
		}
	}
	if host, port := hostPort(nil); host != "" || port != 0 {
		t.Errorf("hostPort(nil) = %q, %d", host, port)
	}
}
