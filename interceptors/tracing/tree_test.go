package tracing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const ordersService = "shop.orders.v1.OrdersService/"

// tree draws all spans, children below their parents in the order in which they started:
//
//	CLIENT GetOrder | parley.attempts=1 rpc.status_code=OK
//	  CLIENT Attempt GetOrder | ...
//
//	  * an event of the call
//
// What is the same for all spans of a kind is checked and left out.
func (r *rig) tree() string {
	r.t.Helper()
	time.Sleep(time.Hour) // until the server has noticed too
	synctest.Wait()
	var spans []sdktrace.ReadOnlySpan
	for _, s := range r.recorder.Started() {
		spans = append(spans, s)
	}
	var b strings.Builder
	b.WriteByte('\n')
	var draw func(parent trace.SpanID, indent string)
	draw = func(parent trace.SpanID, indent string) {
		for _, s := range spans {
			if s.Parent().SpanID() == parent {
				fmt.Fprintln(&b, indent+r.line(s))
				for _, e := range s.Events() {
					fmt.Fprintln(&b, indent+"  * "+e.Name+" "+spelled(e.Attributes))
				}
				draw(s.SpanContext().SpanID(), indent+"  ")
			}
		}
	}
	draw(trace.SpanID{}, "")
	return b.String()
}

func (r *rig) line(s sdktrace.ReadOnlySpan) string {
	r.t.Helper()
	if s.EndTime().IsZero() {
		r.t.Errorf("%s has not ended", s.Name())
	}
	usual := map[attribute.Key]string{"rpc.system.name": "grpc"}
	switch s.SpanKind() {
	case trace.SpanKindClient:
		usual["server.address"], usual["server.port"] = "shop", "8443"
	case trace.SpanKindServer:
		usual["network.peer.address"] = "bufconn"
	default:
	}
	if name := strings.TrimPrefix(s.Name(), "Attempt "); name != "grpc" {
		usual["rpc.method"] = name
	}
	var attributes []string
	for _, a := range s.Attributes() {
		if want, ok := usual[a.Key]; ok {
			if got := a.Value.String(); got != want {
				r.t.Errorf("%s: %s = %q, want %q", s.Name(), a.Key, got, want)
			}
			delete(usual, a.Key)
			continue
		}
		attributes = append(attributes, string(a.Key)+"="+a.Value.String())
	}
	for key := range usual {
		r.t.Errorf("%s %s: no %s", s.SpanKind(), s.Name(), key)
	}
	slices.Sort(attributes)
	line := strings.ToUpper(s.SpanKind().String()) + " " + strings.Replace(s.Name(), ordersService, "", 1)
	if s.Status().Code != otelcodes.Unset {
		line += fmt.Sprintf(" %s(%s)", s.Status().Code, s.Status().Description)
	}
	return line + " | " + strings.Join(attributes, " ")
}

func spelled(attributes []attribute.KeyValue) string {
	parts := make([]string, len(attributes))
	for i, a := range attributes {
		parts[i] = string(a.Key) + "=" + a.Value.String()
	}
	return strings.Join(parts, " ")
}

func (r *rig) wantTree(want string) {
	r.t.Helper()
	want = strings.ReplaceAll(want, "\n\t\t\t\t", "\n")
	// Client and server see one deadline at the same moment, and either may end the call first.
	const byServer, byClient = "stream terminated by RST_STREAM with error code: CANCEL", "context deadline exceeded"
	if got := strings.ReplaceAll(r.tree(), byServer, byClient); strings.TrimSpace(got) != strings.TrimSpace(want) {
		r.t.Errorf("spans:%s\nwant:\n%s", got, want)
	}
}

// span returns the one span with this kind and name.
func (r *rig) span(kind trace.SpanKind, name string) sdktrace.ReadOnlySpan {
	r.t.Helper()
	synctest.Wait()
	var found sdktrace.ReadOnlySpan
	for _, s := range r.recorder.Ended() {
		if s.SpanKind() == kind && s.Name() == name {
			if found != nil {
				r.t.Fatalf("two spans %s", name)
			}
			found = s
		}
	}
	if found == nil {
		r.t.Fatalf("no %s span %s", kind, name)
	}
	return found
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}
