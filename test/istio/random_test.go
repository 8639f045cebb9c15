package istio_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	rbachttp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	securityv1 "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/security/authz/builder"

	"github.com/parley-rpc/parley/test/istio/envoy"
)

// The differences, each with its reason. A test that compares reports every other one.
const (
	unknownAddress = "an address that is not known, as on a connection within the process, counts against the caller " +
		"here; to Envoy it lies in no block"
	refusedEarlier = "a call that the workload's own policies refuse is not put to those of its waypoint, so that their " +
		"AUDIT rules do not show"
)

// comparison counts what was compared.
type comparison struct {
	policies, allowed, denied, shadowDenied, logged int
	differences                                     map[string]int
	istio                                           envoy.Evaluator
}

func (c *comparison) String() string {
	return fmt.Sprintf("%d policies, %d calls: %d allowed, %d denied, %d denied on trial, %d logged, and %d differences "+
		"with their reasons: %v", c.policies, c.allowed+c.denied, c.allowed, c.denied, c.shadowDenied, c.logged,
		len(c.differences), c.differences)
}

// calls asks both sides about calls, and reports where they differ without a reason.
func (c *comparison) calls(t *testing.T, documents []document, ours *enforced, filters []*rbachttp.RBAC, calls []call) {
	t.Helper()
	c.policies += len(documents)
	for _, call := range calls {
		want, err := c.istio.Judge(filters, call.request())
		if err != nil {
			t.Fatalf("%v\n%s", err, textOf(documents))
		}
		got := ours.judge(t, call)
		if want.Allowed {
			c.allowed++
		} else {
			c.denied++
		}
		if !want.ShadowAllowed {
			c.shadowDenied++
		}
		if want.Logged {
			c.logged++
		}
		if got == want {
			continue
		}
		reason := reasonFor(documents, call, got, want)
		if reason == "" {
			t.Fatalf("%+v\nis judged as %+v, by Istio as %+v\n%s", call, got, want, textOf(documents))
		}
		c.differences[reason]++
	}
}

// reasonFor is the reason of a difference, or "" for one that has none. None opens what Istio closes.
func reasonFor(documents []document, c call, got, want envoy.Verdict) string {
	if got.Allowed && !want.Allowed || got.ShadowAllowed && !want.ShadowAllowed {
		return ""
	}
	if (!c.remote.IsValid() || !c.local.IsValid()) && slices.ContainsFunc(documents, asksForAddress) {
		return unknownAddress
	}
	if got.Logged = want.Logged; got == want && !got.Allowed {
		return refusedEarlier
	}
	return ""
}

func asksForAddress(d document) bool {
	return slices.ContainsFunc(d.spec.GetRules(), func(r *securityv1.Rule) bool {
		return slices.ContainsFunc(slices.Concat(entriesOf(r)...), func(l list) bool {
			return strings.HasSuffix(l.key, ".ip") || l.key == "destination.port"
		})
	})
}

// TestRandom compares random policies and calls: 100,000 policies, or as many as RANDOM_POLICIES says.
func TestRandom(t *testing.T) {
	const callsEach = 8
	wanted := 100_000
	if n, err := strconv.Atoi(os.Getenv("RANDOM_POLICIES")); err == nil {
		wanted = n
	}
	r := random{rand.New(rand.NewPCG(15, 8))}
	m := randomMesh(t.TempDir())
	c := &comparison{differences: map[string]int{}}
	for c.policies < wanted {
		documents := r.documents()
		for _, d := range documents {
			if err := d.refusedByIstio(); err != nil {
				t.Fatalf("Istio refuses %s: %v", d, err)
			}
		}
		filters, err := m.translate(documents, builder.Option{UseFilterState: r.IntN(2) == 0})
		if err != nil {
			t.Fatalf("%v\n%s", err, textOf(documents))
		}
		ours, err := m.enforce(t, documents)
		if err != nil {
			t.Fatalf("%v\n%s", err, textOf(documents))
		}
		calls := make([]call, callsEach)
		for i := range calls {
			calls[i] = r.call(documents)
		}
		c.calls(t, documents, ours, filters, calls)
	}
	t.Log(c)
	if least := (c.allowed + c.denied) / 5; c.allowed < least || c.denied < least {
		t.Error("less than a fifth of the calls were allowed, or denied: the comparison is lopsided")
	}
	if c.shadowDenied == 0 || c.logged == 0 {
		t.Error("policies on trial or AUDIT policies met no call")
	}
	for _, reason := range []string{unknownAddress, refusedEarlier} {
		if c.differences[reason] == 0 {
			t.Errorf("a difference does not occur: %s", reason)
		}
	}
}
