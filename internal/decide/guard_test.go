package decide_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"

	_ "google.golang.org/grpc/health/grpc_health_v1" // registers the methods
)

// against is a guard that refuses the calls of one peer, and cannot guard Refund.
type against struct {
	name      string
	objection policy.Objection
}

func newAgainst(name string) *against {
	return &against{name, policy.Objection{
		Why: "denied by rule", Rule: name, Source: policy.Source{Kind: policy.KindFile, Place: "mesh.yaml:7"},
	}}
}

func (a *against) String() string { return "against " + a.name }

func (a *against) Compile(method string, domain principal.TrustDomain) (policy.MethodGuard, error) {
	if domain.String() != "shop.example" || strings.HasSuffix(method, "/Refund") {
		return nil, errors.New("mesh.yaml:7: not enforceable")
	}
	if strings.HasSuffix(method, "/Charge") {
		return nil, nil
	}
	return a, nil
}

func (a *against) Same(other policy.Guard) bool { return a == other }

func (a *against) Judge(_ context.Context, call policy.Call) *policy.Objection {
	if call.Peer == nil || strings.HasSuffix(call.Peer.ID.String(), "/"+a.name) {
		return &a.objection
	}
	return nil
}

func (a *against) Explain(ctx context.Context, call policy.Call) (*policy.Objection, []policy.Step) {
	return a.Judge(ctx, call), []policy.Step{{Asked: "deny", Rule: a.name, Outcome: "asked", Source: a.objection.Source}}
}

func guarded(t *testing.T, method string, layers ...policy.Layer) (*decide.Policy, error) {
	t.Helper()
	table, err := policy.New(layers...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := table.Method(method)
	if err != nil {
		t.Fatal(err)
	}
	return decide.Compile(m, open(t))
}

// A guard refuses what the policy would let pass, never the other way round.
func TestGuard(t *testing.T) {
	p, err := guarded(t, quote, policy.Guarded(newAgainst("orders")))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		call policy.Call
		says string
	}{
		"whom the guard alone refuses": {policy.Call{Peer: peer(t, "orders")}, "denied by rule orders"},
		"whom the .proto refuses":      {policy.Call{Peer: peer(t, "mallory")}, "the caller is not among the peers"},
	} {
		d := p.Judge(t.Context(), &test.call)
		if d.Reason() != rpcerr.PolicyDenied || d.Error() != test.says {
			t.Errorf("%s: %q, %v", name, d.Reason(), d)
		}
	}
	d := p.Judge(t.Context(), &policy.Call{Peer: peer(t, "orders")})
	if d.Source().String() != "file mesh.yaml:7" {
		t.Errorf("the source is %v", d.Source())
	}
	e := p.Explain(t.Context(), &policy.Call{Method: quote, Peer: peer(t, "orders")})
	if text := e.String(); e.Allowed || !strings.Contains(text, "deny orders: asked (file mesh.yaml:7)") ||
		!strings.Contains(text, "decided: denied by rule orders (file mesh.yaml:7)") {
		t.Errorf("it is explained as %s", text)
	}
	if p, err = guarded(t, quote, policy.Guarded(newAgainst("reports"))); err != nil {
		t.Fatal(err)
	}
	if d := p.Judge(t.Context(), &policy.Call{Peer: peer(t, "orders")}); !d.Allows() {
		t.Errorf("whom both let pass: %v", d)
	}
}

// A guard on trial refuses nothing, and is tried.
func TestGuardOnTrial(t *testing.T) {
	p, err := guarded(t, quote, policy.GuardedOnTrial(newAgainst("orders")))
	if err != nil {
		t.Fatal(err)
	}
	call := &policy.Call{Method: quote, Peer: peer(t, "orders")}
	if d := p.Judge(t.Context(), call); !d.Allows() {
		t.Errorf("it refuses: %v", d)
	}
	if d := p.Try(t.Context(), call); d.Allows() || d.Source().Place != "mesh.yaml:7" {
		t.Errorf("it is not tried: %v", d)
	}
	if e := p.Explain(t.Context(), call); !e.Allowed || e.Trial == nil || e.Trial.Allowed {
		t.Errorf("it is explained as %v", e)
	}
}

// A guard may have nothing to say about a method. One that cannot guard it makes the policy a mistake.
func TestGuardOfOtherMethods(t *testing.T) {
	const service = "/shop.payments.v1.PaymentsService/"
	p, err := guarded(t, service+"Charge", policy.Guarded(newAgainst("orders")))
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Judge(t.Context(), &policy.Call{Peer: peer(t, "orders")}); !d.Allows() {
		t.Errorf("Charge: %v", d)
	}
	if _, err := guarded(t, service+"Refund", policy.Guarded(newAgainst("orders"))); err == nil ||
		err.Error() != service+"Refund: mesh.yaml:7: not enforceable" {
		t.Errorf("Refund: %v", err)
	}
}

// Neither the requirements nor a guard alone let an unproven caller pass.
func TestGuardOfTheUnproven(t *testing.T) {
	anonymous := policy.Code(map[string]*policyv1.Policy{
		"/grpc.health.v1.Health/*": {Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()}},
	})
	p, err := guarded(t, "/grpc.health.v1.Health/Check", anonymous, policy.Guarded(newAgainst("orders")))
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Judge(t.Context(), &policy.Call{}); d.Reason() != rpcerr.CredentialsMissing {
		t.Errorf("an unproven caller: %q", d.Reason())
	}
}
