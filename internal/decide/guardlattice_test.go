package decide_test

import (
	"math/rand/v2"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
)

// TestGuardsOfSeveralSourcesNarrow merges guards and statements of three sources: neither their order nor a source that
// is there twice has an effect, however they are grouped, and a further source never lets a call pass.
func TestGuardsOfSeveralSourcesNarrow(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	named := map[string]*against{}
	for _, name := range []string{"orders", "billing", "reports"} {
		named[name] = newAgainst(name)
	}
	source := func() []policy.Layer {
		var guards []policy.Guard
		for _, g := range named {
			if r.IntN(4) == 0 {
				guards = append(guards, g)
			}
		}
		layers := []policy.Layer{policy.Guarded(guards...)}
		if r.IntN(3) == 0 {
			layers = append(layers, policy.GuardedOnTrial(named["orders"]))
		}
		if r.IntN(3) == 0 {
			stated := map[string]*policyv1.Policy{quote: {Auth: &policyv1.Auth{Peers: []string{"orders", "billing"}}}}
			layers = append(layers, policy.CodeAt("random", stated))
		}
		return layers
	}
	passed, refused := 0, 0
	for range rounds.Of(200) {
		a, b, c := source(), source(), source()
		compiled := func(sources ...[]policy.Layer) *decide.Policy {
			var layers []policy.Layer
			for _, s := range sources {
				layers = append(layers, s...)
			}
			p, err := guarded(t, quote, layers...)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		all, fewer := compiled(a, b, c), compiled(a, b)
		same := []*decide.Policy{compiled(c, b, a), compiled(b, c, a), compiled(a, a, b, c, b), compiled(a, b, c, a, b, c)}
		for _, caller := range []string{"orders", "billing", "reports", "mallory"} {
			call := policy.Call{Method: quote, Peer: peer(t, caller, "read")}
			d := all.Judge(t.Context(), &call)
			for i, p := range same {
				if got := p.Judge(t.Context(), &call); got.Allows() != d.Allows() || got.Reason() != d.Reason() {
					t.Fatalf("%s, merge %d: %v, want %v", caller, i, got, d)
				}
				if p.Try(t.Context(), &call).Allows() != all.Try(t.Context(), &call).Allows() {
					t.Fatalf("%s, merge %d: another trial", caller, i)
				}
			}
			if d.Allows() && !fewer.Judge(t.Context(), &call).Allows() {
				t.Fatalf("%s passes with a further source", caller)
			}
			if d.Allows() {
				passed++
			} else {
				refused++
			}
		}
	}
	if passed == 0 || refused == 0 {
		t.Errorf("%d calls passed and %d were refused", passed, refused)
	}
}
