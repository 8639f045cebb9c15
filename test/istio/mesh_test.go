package istio_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	rbacpb "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbachttp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/encoding/protojson"
	securityv1 "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/security/authz/builder"
	authz "istio.io/istio/pilot/pkg/security/authz/model"
	"istio.io/istio/pilot/pkg/security/trustdomain"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/labels"
	"istio.io/istio/pkg/config/validation"

	_ "github.com/parley-rpc/parley/gen/shop/orders/v1" // describes getOrder
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/test/istio/envoy"
)

const (
	getOrder      = "/shop.orders.v1.OrdersService/GetOrder"
	rootNamespace = "istio-system"
	dryRun        = "istio.io/dry-run"
)

// mesh is a workload, and what its mesh is called.
type mesh struct {
	domain  string
	aliases []string

	namespace string
	labels    map[string]string

	folder string // for files
}

// document is an AuthorizationPolicy.
type document struct {
	namespace, name string
	annotations     map[string]string
	spec            *securityv1.AuthorizationPolicy
}

// String is the document as a file has it. JSON is YAML.
func (d document) String() string {
	spec, err := protojson.Marshal(d.spec)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"namespace": d.namespace, "name": d.name, "annotations": d.annotations},
		"spec":     json.RawMessage(spec),
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func textOf(documents []document) string {
	text := "{apiVersion: v1, kind: Namespace}\n"
	for _, d := range documents {
		text += "---\n" + d.String() + "\n"
	}
	return text
}

// refusedByIstio is what Istio's validation says, which stands before a cluster takes a policy.
func (d document) refusedByIstio() error {
	_, err := validation.ValidateAuthorizationPolicy(config.Config{
		Meta: config.Meta{Namespace: d.namespace, Name: d.name, Annotations: d.annotations}, Spec: d.spec,
	})
	return err
}

// points are the places where the mesh asks policies: the sidecar of the workload, and the waypoint before it.
func (m mesh) points() []model.WorkloadPolicyMatcher {
	return []model.WorkloadPolicyMatcher{
		{WorkloadNamespace: m.namespace, WorkloadLabels: m.labels, RootNamespace: rootNamespace},
		{
			WorkloadNamespace: m.namespace, RootNamespace: rootNamespace, IsWaypoint: true,
			WorkloadLabels: labels.Instance{"gateway.networking.k8s.io/gateway-name": "waypoint"},
			Services: []model.ServiceInfoForPolicyMatcher{{
				Name: "orders", Namespace: m.namespace, Registry: provider.Kubernetes,
			}},
		},
	}
}

// translate lets Istio choose the policies that count, and translate them. Istio leaves out what it cannot translate,
// with a line in its log; here that is an error.
func (m mesh) translate(documents []document, option builder.Option) ([]*rbachttp.RBAC, error) {
	all := &model.AuthorizationPolicies{
		NamespaceToPolicies: map[string][]model.AuthorizationPolicy{}, RootNamespace: rootNamespace,
	}
	for _, d := range documents {
		all.NamespaceToPolicies[d.namespace] = append(all.NamespaceToPolicies[d.namespace], model.AuthorizationPolicy{
			Name: d.name, Namespace: d.namespace, Annotations: d.annotations, Spec: d.spec,
		})
	}
	var filters []*rbachttp.RBAC
	for _, at := range m.points() {
		chosen := all.ListAuthorizationPolicies(at)
		if len(chosen.Custom) > 0 {
			return nil, fmt.Errorf("a policy of the action CUSTOM: %s", chosen.Custom[0].Name)
		}
		b := builder.New(trustdomain.NewBundle(m.domain, m.aliases), &model.PushContext{}, chosen, option)
		if b == nil {
			continue
		}
		var translated []*rbachttp.RBAC
		for _, f := range b.BuildHTTP() {
			rbac := &rbachttp.RBAC{}
			if err := f.GetTypedConfig().UnmarshalTo(rbac); err != nil {
				return nil, err
			}
			translated = append(translated, rbac)
		}
		if err := complete(slices.Concat(chosen.Audit, chosen.Deny, chosen.Allow), translated); err != nil {
			return nil, err
		}
		filters = append(filters, translated...)
	}
	return filters, nil
}

// complete checks that the filters have a policy for each rule, and that no condition of a rule was left out.
func complete(policies []model.AuthorizationPolicy, filters []*rbachttp.RBAC) error {
	want, got := map[string]bool{}, map[string]bool{}
	for _, p := range policies {
		kind := "rules"
		if tried, _ := strconv.ParseBool(p.Annotations[dryRun]); tried {
			kind = "shadow rules"
		}
		for i := range max(1, len(p.Spec.GetRules())) {
			want[fmt.Sprintf("%s ns[%s]-policy[%s]-rule[%d]", kind, p.Namespace, p.Name, i)] = true
		}
		for i, rule := range p.Spec.GetRules() {
			if rule == nil {
				return fmt.Errorf("Istio leaves out rule %d of %s, which is empty", i, p.Name)
			}
			of, err := authz.New(p.NamespacedName(), rule)
			if err != nil {
				return fmt.Errorf("Istio leaves out rule %d of %s: %w", i, p.Name, err)
			}
			// An ALLOW rule is left out with all of its conditions, another one loses those that are wrong.
			if _, err := of.Generate(false, true, rbacpb.RBAC_ALLOW); err != nil {
				return fmt.Errorf("Istio leaves out a condition of rule %d of %s: %w", i, p.Name, err)
			}
		}
	}
	for _, f := range filters {
		for name := range f.GetRules().GetPolicies() {
			got["rules "+name] = true
		}
		for name := range f.GetShadowRules().GetPolicies() {
			got["shadow rules "+name] = true
		}
	}
	if !maps.Equal(want, got) {
		return fmt.Errorf("Istio has translated the rules %v, and not %v",
			slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	return nil
}

// enforced is the same policies as Parley enforces them.
type enforced struct {
	domain       principal.TrustDomain
	force, trial []policy.Guard
	compiled     map[string]compiled // by method
}

type compiled struct{ force, trial []policy.MethodGuard }

// workload is that of the mesh, as policy/istio is told of it. An address is that of the connection.
func (m mesh) workload() istio.Workload {
	return istio.Workload{
		Namespace: m.namespace, Labels: m.labels, Services: []string{"orders"}, Waypoints: []string{"waypoint"},
		TrustDomainAliases: m.aliases, NoProxies: true,
	}
}

// enforce reads the documents from a file.
func (m mesh) enforce(t testing.TB, documents []document) (*enforced, error) {
	t.Helper()
	path := filepath.Join(m.folder, "mesh.yaml")
	if err := os.WriteFile(path, []byte(textOf(documents)), 0o600); err != nil {
		t.Fatal(err)
	}
	files := istio.Dir(path, m.workload())
	content, err := files.Read()
	if err != nil {
		return nil, err
	}
	layers, _, err := files.Parse(content)
	if err != nil {
		return nil, err
	}
	table, err := policy.New(layers...)
	if err != nil {
		return nil, err
	}
	method, err := table.Method(getOrder)
	if err != nil {
		return nil, err
	}
	domain, err := principal.ParseTrustDomain(m.domain)
	return &enforced{domain, method.Auth.Guards, method.Trial.Guards, map[string]compiled{}}, err
}

// judge asks the guards what they make of a call.
func (e *enforced) judge(t testing.TB, c call) envoy.Verdict {
	t.Helper()
	of, ok := e.compiled[c.method]
	if !ok {
		of = compiled{e.compile(t, e.force, c.method), e.compile(t, e.trial, c.method)}
		e.compiled[c.method] = of
	}
	var v envoy.Verdict
	v.Allowed, v.Logged = ask(t, of.force, c)
	v.ShadowAllowed, v.ShadowLogged = ask(t, of.trial, c)
	return v
}

func (e *enforced) compile(t testing.TB, guards []policy.Guard, method string) []policy.MethodGuard {
	t.Helper()
	var all []policy.MethodGuard
	for _, g := range guards {
		m, err := g.Compile(method, e.domain)
		if err != nil {
			t.Fatal(err)
		}
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// ask says whether the guards let a call pass, and whether a rule that audits holds.
func ask(t testing.TB, guards []policy.MethodGuard, c call) (passes, logged bool) {
	t.Helper()
	passes = true
	for _, g := range guards {
		ctx, made := c.context(t)
		objection := g.Judge(ctx, made)
		explained, steps := g.Explain(ctx, made)
		if explained != objection {
			t.Fatalf("%+v is judged as %v, and explained as %v", c, objection, explained)
		}
		passes = passes && objection == nil
		for _, s := range steps {
			logged = logged || s.Asked == "audit" && s.Outcome == "holds"
		}
	}
	return passes, logged
}
