package framework

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	_ "github.com/parley-rpc/parley/gen/shop/payments/v1" // describes its methods
	"github.com/parley-rpc/parley/policy"
)

// TestMeshHost derives the host of a client from its target, unless it is stated.
func TestMeshHost(t *testing.T) {
	for target, want := range map[string]string{
		"":                                   "payments",
		"dns:///payments.shop:8443":          "payments.shop:8443",
		"dns://10.0.0.1/payments.shop:8443":  "payments.shop:8443",
		"dns:payments.shop:8443":             "payments.shop:8443",
		"payments.shop.svc.cluster.local:80": "payments.shop.svc.cluster.local:80",
		"parley:///payments.bank":            "payments.bank",
		"passthrough:///10.0.0.1:80":         "10.0.0.1:80",
		"unix:///run/payments":               "",
		"unix:/run/payments":                 "",
	} {
		app := newCaller(t)
		c := app.Client("payments", WithTarget(target))
		app.prepare()
		if got := c.meshHost(); got != want {
			t.Errorf("%q: got %q, want %q", target, got, want)
		}
		stated := app.Client("payments", WithTarget(target), WithHost("bank:443"))
		if got := stated.meshHost(); got != "bank:443" {
			t.Errorf("%q: got %q", target, got)
		}
		app.parts.config = &configv1.Config{Clients: map[string]*configv1.Client{"payments": {Host: new("other:80")}}}
		if got := stated.meshHost(); got != "other:80" {
			t.Errorf("%q: got %q", target, got)
		}
	}
}

// constant is routes to every host.
type constant struct{ to policy.Destination }

func (constant) String() string                          { return "constant" }
func (constant) Traffic(_, _ string) policy.Traffic      { return policy.Traffic{} }
func (c constant) Destination(string) policy.Destination { return c.to }
func (constant) Statements(string) []policy.Statement    { return nil }

func inFile[T any](v T) policy.Value[T] {
	return policy.Value[T]{Value: v, Source: policy.Source{Kind: policy.KindFile, Place: "mesh.yaml:1"}}
}

// TestRoutedBalancing puts the configuration before a mesh, and a mesh before the code.
func TestRoutedBalancing(t *testing.T) {
	hashed := policy.Destination{Balancing: inFile("ring_hash"), HashMetadata: inFile("x-user")}
	resting := policy.Destination{
		Interval: inFile(5 * time.Second), FailurePercent: inFile(60), Rest: inFile(time.Minute), MaxPercent: inFile(20),
	}
	coded := grpcbalancer.Balancing{Policy: "least_request", Outliers: &grpcbalancer.Outliers{MinCalls: 7}}
	for name, test := range map[string]struct {
		code   grpcbalancer.Balancing
		mesh   policy.Destination
		config *configv1.Client
		want   string
	}{
		"nothing":  {want: "zone_weighted"},
		"the code": {code: coded, want: "least_request"},
		"the mesh": {code: coded, mesh: hashed, want: "ring_hash x-user"},
		"the configuration": {
			code: coded, mesh: hashed, config: &configv1.Client{Balancing: new("round_robin")}, want: "round_robin",
		},
		"outliers": {code: coded, mesh: resting, want: "least_request {5s 7 60 1m0s 20 false}"},
		"no outliers": {
			mesh: policy.Destination{OutliersOff: inFile(true)}, want: "zone_weighted {0s 0 0 0s 0 true}",
		},
		"outliers of the configuration": {
			mesh: resting, config: &configv1.Client{Outliers: &configv1.Outliers{MinCalls: new(uint32(3))}},
			want: "zone_weighted {0s 3 0 0s 0 false}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := newCaller(t)
			c := app.Client("payments", WithTarget("passthrough:///payments:1"), WithBalancing(test.code))
			app.prepare()
			if err := app.parts.table.Replace(policy.Routed(constant{test.mesh})); err != nil {
				t.Fatal(err)
			}
			if test.config != nil {
				app.parts.config = &configv1.Config{Clients: map[string]*configv1.Client{"payments": test.config}}
			}
			b := c.balancing()
			if b.Policy == "" {
				b.Policy = grpcbalancer.ZoneWeighted
			}
			got := strings.TrimSpace(b.Policy + " " + b.HashMetadata)
			if o := b.Outliers; o != nil && *o != (grpcbalancer.Outliers{MinCalls: 7}) {
				got += fmt.Sprintf(" {%v %d %d %v %d %v}", o.Interval, o.MinCalls, o.FailurePercent, o.Rest, o.MaxPercent, o.Off)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if err := c.checkBalancing(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRoutedBudget takes the ratio of a mesh where the configuration states none.
func TestRoutedBudget(t *testing.T) {
	for name, test := range map[string]struct {
		config *configv1.RetryBudget
		want   string
	}{
		"none": {nil, "[retry.WithBudgetRatio(0.2)]"},
		"the configuration": {
			&configv1.RetryBudget{Max: new(uint32(4))},
			"[retry.WithBudgetRatio(0.2) retry.WithBudget(ratio 0.2, max 4, min 0.1/s)]",
		},
		"its ratio": {
			&configv1.RetryBudget{Ratio: new(0.3)},
			"[retry.WithBudgetRatio(0.2) retry.WithBudget(ratio 0.3, max 10, min 0.1/s)]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := newCaller(t)
			c := app.Client("payments", WithTarget("passthrough:///payments:1"))
			app.prepare()
			layer := policy.Routed(constant{policy.Destination{BudgetRatio: inFile(0.2)}})
			if err := app.parts.table.Replace(layer); err != nil {
				t.Fatal(err)
			}
			app.parts.config = &configv1.Config{Clients: map[string]*configv1.Client{"payments": {RetryBudget: test.config}}}
			if got := fmt.Sprint(c.budgetOptions()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// hurried is routes by which every call has a second.
type hurried struct{ constant }

func (hurried) Traffic(_, _ string) policy.Traffic {
	return policy.Traffic{Deadline: inFile(time.Second)}
}

func (hurried) Statements(string) []policy.Statement {
	return []policy.Statement{{Name: "calls of every method", Value: "deadline 1s", Source: "file mesh.yaml:1"}}
}

// TestRoutesAreShown lists the policies as clients have them, and the routes, on the admin page.
func TestRoutesAreShown(t *testing.T) {
	app := newCaller(t)
	app.Client("payments", WithTarget("passthrough:///payments:1"))
	app.prepare()
	if err := app.parts.table.Replace(policy.Routed(hurried{})); err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, p := range (&run{app: app}).policies() {
		for _, v := range p.Values {
			if v.Name == "deadline" && strings.HasSuffix(p.Method, "GetQuote") {
				shown = append(shown, p.Kind+": "+v.Value+" ("+v.Source+")")
			}
		}
	}
	if got, want := strings.Join(shown, ", "), "unary, not served here: 2s (proto shop/payments/v1/payments.proto: "+
		"PaymentsService), "+
		"unary, called by the client payments: 1s (file mesh.yaml:1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	rows := app.routeRows()
	if len(rows) != 1 || strings.Join(rows[0].Cells, ", ") !=
		"payments, payments:1, calls of every method, deadline 1s, file mesh.yaml:1" {
		t.Errorf("the page shows %v", rows)
	}
}
