package istio_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

// FuzzTraffic reads whatever there is about calls: it ends, its mistakes and notes have places, and what it takes is
// within the bounds of package policy and loosens nothing of the contract.
func FuzzTraffic(f *testing.F) {
	text, err := os.ReadFile("testdata/traffic.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var cases []trafficCase
	if err := yaml.Unmarshal(text, &cases); err != nil {
		f.Fatal(err)
	}
	for _, test := range cases {
		f.Add(trafficDocuments(f, test.Objects), "payments:8443", getQuote)
	}
	f.Add(faulty, "[::1]:80", "")
	f.Add(routesHead+"  - match: [{uri: {regex: '(a*)*b'}}]\n", "..", "/aaaaaaaaaaaaaaaaaaaaaaaa/")
	contract, err := policy.FromProto().Method(getQuote)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, host, method string) {
		layers, notes, err := istio.Parse(orders(), text)
		if err != nil {
			if m, ok := errors.AsType[*istio.Mistake](err); ok && (m.File != "mesh.yaml" || m.Problem == "") {
				t.Errorf("a mistake without a place or a problem: %#v", m)
			}
			return
		}
		for _, n := range notes {
			if !strings.HasPrefix(n.Place, "mesh.yaml:") || n.Text == "" {
				t.Errorf("a note without a place or a text: %#v", n)
			}
		}
		table := routesOf(layers).table().Toward(host)
		bounded(t, table.Traffic(method))
		for _, s := range table.Statements() {
			if s.Name == "" || s.Value == "" || !strings.HasPrefix(s.Source, "file mesh.yaml:") {
				t.Errorf("a statement without a name, a value or a place: %#v", s)
			}
		}
		d := table.Destination()
		if d.Interval.Value > 5*time.Minute || d.Rest.Value > 5*time.Minute || d.MaxPercent.Value > 100 ||
			d.FailurePercent.Value > 100 || !(d.BudgetRatio.Value >= 0 && d.BudgetRatio.Value <= 1) {
			t.Errorf("a destination out of bounds: %+v", d)
		}
		merged, err := table.Method(getQuote)
		if err == nil && merged.Retry.MaxAttempts.Value > contract.Retry.MaxAttempts.Value {
			t.Errorf("more attempts than the contract has: %v", merged)
		}
	})
}

// bounded fails for values that package policy does not take.
func bounded(t *testing.T, traffic policy.Traffic) {
	t.Helper()
	for name, v := range map[string]policy.Value[time.Duration]{
		"deadline": traffic.Deadline, "timeout": traffic.Retry.PerAttemptTimeout, "backoff": traffic.Retry.InitialBackoff,
		"longest backoff": traffic.Retry.MaxBackoff,
	} {
		if v.Stated() && v.Value <= 0 || v.Value < 0 {
			t.Errorf("a %s of %v", name, v)
		}
	}
	if n := traffic.Retry.MaxAttempts; n.Stated() && (n.Value < 1 || n.Value > 10) {
		t.Errorf("attempts of %v", n)
	}
}
