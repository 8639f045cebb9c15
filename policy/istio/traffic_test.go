package istio_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/codes"

	_ "github.com/parley-rpc/parley/gen/shop/payments/v1" // describes its methods
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

const paymentsService = "/shop.payments.v1.PaymentsService/"

// trafficCase is a case of testdata/traffic.yaml.
type trafficCase struct {
	Name, Says string
	Objects    []map[string]any
	Calls      map[string]string
	To         map[string]string
	Notes      []string
	Mistake    string
}

// TestTrafficCases asks for the traffic of every call of testdata/traffic.yaml, and for what is noted and refused.
func TestTrafficCases(t *testing.T) {
	text, err := os.ReadFile("testdata/traffic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []trafficCase
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("there are %d cases", len(cases))
	}
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			if test.Says == "" || len(test.Calls)+len(test.To)+len(test.Notes) == 0 && test.Mistake == "" {
				t.Error("the case says neither why nor what")
			}
			layers, notes, err := istio.Parse(orders(), trafficDocuments(t, test.Objects))
			if test.Mistake != "" {
				if err == nil || !strings.Contains(err.Error(), test.Mistake) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := routesOf(layers)
			for call, want := range test.Calls {
				host, method, _ := strings.Cut(call, " ")
				if !strings.HasPrefix(method, "/") {
					method = paymentsService + method
				}
				if got := trafficText(r.Traffic(host, method)); got != want {
					t.Errorf("%s: got %q, want %q", call, got, want)
				}
			}
			for host, want := range test.To {
				if got := destinationText(r, host); got != want {
					t.Errorf("%s: got %q, want %q", host, got, want)
				}
			}
			if test.Notes != nil {
				sameNotes(t, notes, test.Notes)
			}
		})
	}
}

// trafficDocuments writes the objects of a case.
func trafficDocuments(t testing.TB, objects []map[string]any) string {
	t.Helper()
	var all strings.Builder
	for i, o := range objects {
		kind, apiVersion, spec := "VirtualService", "networking.istio.io/v1", o["spec"]
		add := func(key string, value any) {
			if m, _ := spec.(map[string]any); m != nil && m[key] == nil {
				m[key] = value
			}
		}
		parent := map[string]any{"kind": "Service", "group": "", "name": "payments"}
		switch {
		case o["vs"] != nil:
			spec = o["vs"]
			add("hosts", []string{"payments"})
		case o["dr"] != nil:
			kind, spec = "DestinationRule", o["dr"]
			add("host", "payments")
		case o["grpc"] != nil:
			kind, apiVersion, spec = "GRPCRoute", "gateway.networking.k8s.io/v1", o["grpc"]
			add("parentRefs", []any{parent})
		case o["http"] != nil:
			kind, apiVersion, spec = "HTTPRoute", "gateway.networking.k8s.io/v1", o["http"]
			add("parentRefs", []any{parent})
		}
		namespace, ok := o["namespace"]
		if !ok {
			namespace = "shop"
		}
		text, err := yaml.Marshal(map[string]any{
			"apiVersion": apiVersion, "kind": kind, "spec": spec,
			"metadata": map[string]any{"name": fmt.Sprintf("o%d", i), "namespace": namespace},
		})
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n" + string(text))
	}
	return all.String()
}

// routesOf are those of a Table with the layers, none where no layer has any.
func routesOf(layers []policy.Layer) asker { return asker{layers} }

// asker asks a Table for methods that no .proto describes, too.
type asker struct{ layers []policy.Layer }

func (a asker) table() *policy.Table {
	table, err := policy.New(a.layers...)
	if err != nil {
		panic(err)
	}
	return table
}

func (a asker) Traffic(host, method string) policy.Traffic {
	return a.table().Toward(host).Traffic(method)
}

func trafficText(t policy.Traffic) string {
	var parts []string
	if t.Deadline.Stated() {
		parts = append(parts, "deadline "+t.Deadline.Value.String())
	}
	if t.Retry.MaxAttempts.Stated() {
		parts = append(parts, fmt.Sprintf("attempts %d", t.Retry.MaxAttempts.Value))
	}
	if t.Retry.PerAttemptTimeout.Stated() {
		parts = append(parts, "timeout "+t.Retry.PerAttemptTimeout.Value.String())
	}
	if t.Retry.InitialBackoff.Stated() {
		parts = append(parts, fmt.Sprintf("backoff %v to %v", t.Retry.InitialBackoff.Value, t.Retry.MaxBackoff.Value))
	}
	if t.Retry.Codes.Stated() {
		parts = append(parts, "codes "+codeText(t.Retry.Codes.Value))
	}
	return strings.Join(parts, ", ")
}

func codeText(list []codes.Code) string {
	names := map[codes.Code]string{
		codes.Canceled: "CANCELLED", codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.Internal: "INTERNAL",
		codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Unavailable: "UNAVAILABLE",
	}
	var parts []string
	for _, c := range list {
		parts = append(parts, names[c])
	}
	if len(parts) == 0 {
		return "none"
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// destinationText is what is stated about a host, without the routes.
func destinationText(a asker, host string) string {
	var parts []string
	for _, s := range a.table().Toward(host).Statements() {
		if !strings.HasPrefix(s.Name, "calls of") {
			parts = append(parts, s.Name+" "+s.Value)
		}
	}
	return strings.Join(parts, ", ")
}

// sameNotes fails unless each note has one of the wanted parts, and each part is in one note.
func sameNotes(t *testing.T, notes []policy.Note, want []string) {
	t.Helper()
	left := slices.Clone(want)
	for _, n := range notes {
		i := slices.IndexFunc(left, func(part string) bool { return strings.Contains(n.String(), part) })
		if i < 0 {
			t.Errorf("noted: %v", n)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, part := range left {
		t.Errorf("not noted: %s", part)
	}
}
