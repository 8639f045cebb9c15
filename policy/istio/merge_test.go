package istio_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

// TestMergeProperties merges layers of random policies: the order of layers has no effect, a layer given twice, or read
// from another file, has none either, and a further layer never lets a call pass that was refused.
func TestMergeProperties(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 6))}
	for range rounds.Of(100) {
		a, b := r.documents(t), r.documents(t)
		one, two := parsed(t, a), parsed(t, b)
		both := append(parsed(t, a), two...)
		turned := append(parsed(t, b), one...)
		again := append(append(parsed(t, "# moved\n\n"+a), one...), both...)
		if n, m := len(guardsOf(t, both)), len(guardsOf(t, again)); n != m {
			t.Errorf("%d guards became %d, because they were stated again", n, m)
		}
		for range 20 {
			c := r.call(t)
			passes := judge(t, both, c) == nil
			for name, layers := range map[string][]policy.Layer{"turned": turned, "again": again} {
				if got := judge(t, layers, c) == nil; got != passes {
					t.Errorf("%+v passes: %v, %s: %v", c, passes, name, got)
				}
			}
			if passes && (judge(t, one, c) != nil || judge(t, two, c) != nil) {
				t.Errorf("%+v passes both layers, and not each", c)
			}
		}
	}
}

func parsed(t *testing.T, text string) []policy.Layer {
	t.Helper()
	layers, _, err := istio.Parse(orders(), text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return layers
}

// documents are one to three random policies.
func (r random) documents(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range r.IntN(3) + 1 {
		spec, err := protojson.Marshal(r.policy())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"+
			"metadata: {name: p%d, namespace: shop}\nspec: %s\n", i, spec)
	}
	return b.String()
}

// With OpenHealth, only DENY rules that name the health service count there.
func TestOpenHealth(t *testing.T) {
	w := orders()
	w.OpenHealth = true
	const watch = " m=/grpc.health.v1.Health/Watch"
	for rule, refused := range map[string]bool{
		"{rules: [{from: [{source: {namespaces: [shop]}}]}]}":              false,
		"{action: DENY, rules: [{from: [{source: {namespaces: [dev]}}]}]}": false,
		"{action: DENY, rules: [{from: [{source: {namespaces: [dev]}}], to: [{operation: {" +
			"paths: [/grpc.health.v1.Health/*]}}]}]}": true,
	} {
		layers, _, err := istio.Parse(w, head+"spec: "+rule+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if why := judge(t, layers, readCall(t, "dev/web"+watch)); (why != nil) != refused {
			t.Errorf("%s: health refused: %v, want %v", rule, why, refused)
		}
		if judge(t, layers, readCall(t, "dev/web")) == nil && !strings.Contains(rule, "health") {
			t.Errorf("%s: everything is open", rule)
		}
	}
}

// Guards are the same only where they judge every call alike.
func TestSame(t *testing.T) {
	text := head + "spec: {rules: [{from: [{source: {serviceAccounts: [web]}}]}]}\n"
	w := orders()
	other := orders()
	other.TrustDomainAliases = nil
	open := orders()
	open.OpenHealth = true
	guard := func(w istio.Workload, text string) policy.Guard {
		layers, _, err := istio.Parse(w, text)
		if err != nil {
			t.Fatal(err)
		}
		return guardsOf(t, layers)[0]
	}
	own := guard(w, text)
	for name, test := range map[string]struct {
		guard policy.Guard
		want  bool
	}{
		"itself":                {own, true},
		"read again":            {guard(w, text), true},
		"elsewhere in the file": {guard(w, "# moved\n"+text), true},
		"another value":         {guard(w, strings.Replace(text, "[web]", "[cart]", 1)), false},
		"another name":          {guard(w, strings.Replace(text, "name: p", "name: q", 1)), false},
		"other aliases":         {guard(other, text), false},
		"health":                {guard(open, text), false},
		"at the waypoint": {
			guard(w, strings.Replace(text, "spec: {", "spec: {targetRefs: [{kind: Service, name: orders}], ", 1)), false,
		},
	} {
		if got := own.Same(test.guard); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
