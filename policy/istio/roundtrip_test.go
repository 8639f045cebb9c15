package istio_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/export"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
)

// exported are methods of payments with random policies that Istio can demand.
func exported(r random) []policy.Method {
	at := policy.Source{Kind: policy.KindFile, Place: "payments.yaml:3"}
	peers := func() []string {
		all := []string{"orders", "spiffe://mesh.example/batch/*", "spiffe://mesh.example/ns/shop/sa/web", "billing"}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:1+r.IntN(len(all))]
	}
	maybe := func(values ...time.Duration) (v policy.Value[time.Duration]) {
		if r.IntN(3) > 0 {
			v = policy.Value[time.Duration]{Value: values[r.IntN(len(values))], Source: at}
		}
		return v
	}
	var methods []policy.Method
	for _, name := range []string{"GetQuote", "Charge", "Refund"} {
		m := policy.Method{Name: paymentsService + name, Described: true}
		m.Auth.Access = policy.Value[policy.Access]{Value: policy.Access(1 + r.IntN(int(policy.AccessDenied))), Source: at}
		if m.Auth.Access.Value == policy.AccessPeers {
			for range 1 + r.IntN(2) {
				m.Auth.Peers = append(m.Auth.Peers, policy.Value[[]string]{Value: peers(), Source: at})
			}
		}
		if r.IntN(3) == 0 {
			m.Auth.Deny = []policy.Rule{{Name: "no", Source: at, Peers: peers()}}
		}
		if m.Auth.Access.Value != policy.AccessDenied && r.IntN(3) == 0 {
			rules := []policy.Rule{{Name: "a", Source: at, Peers: peers()}, {Name: "b", Source: at, Peers: peers()}}
			m.Auth.Allow = []policy.Value[[]policy.Rule]{{Value: rules, Source: at}}
		}
		if r.IntN(2) == 0 {
			m.Idempotency = policy.Value[policy.Idempotency]{Value: policy.Idempotent, Source: at}
		}
		m.Deadline = maybe(1500*time.Millisecond, 2*time.Second)
		m.Retry.PerAttemptTimeout = maybe(100*time.Millisecond, 250*time.Millisecond)
		m.Retry.InitialBackoff = maybe(10*time.Millisecond, 50*time.Millisecond)
		if r.IntN(3) > 0 {
			m.Retry.MaxAttempts = policy.Value[int]{Value: 1 + r.IntN(6), Source: at}
		}
		if r.IntN(3) > 0 {
			m.Retry.Codes = policy.Value[[]codes.Code]{Value: []codes.Code{codes.Internal, codes.Unavailable}, Source: at}
		}
		methods = append(methods, m)
	}
	return methods
}

// TestExportRoundTrip reads back what was exported: every caller that the policies refuse is refused, every one that
// they let pass passes, and deadlines and retries are what they were.
func TestExportRoundTrip(t *testing.T) {
	domain, err := principal.ParseTrustDomain("mesh.example")
	if err != nil {
		t.Fatal(err)
	}
	const host = "payments.shop.svc.cluster.local"
	r := random{rand.New(rand.NewPCG(5, 6))}
	passed := 0
	for range rounds.Of(300) {
		methods := exported(r)
		text, _, err := export.Istio(methods, export.Workload{
			Name: "payments", Namespace: "shop", Labels: map[string]string{"app": "payments"}, Host: host, Domain: domain,
		})
		if err != nil {
			t.Fatal(err)
		}
		layers, notes, err := istio.Parse(istio.Workload{
			Namespace: "shop", Labels: map[string]string{"app": "payments"}, Services: []string{"payments"},
		}, string(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, note := range notes {
			if !strings.HasPrefix(note.Text, "only calls that may be repeated are retried") {
				t.Fatalf("the reader notes %v\n%s", note, text)
			}
		}
		table, err := policy.New(layers...)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range methods {
			own, err := decide.Compile(m, &decide.Server{
				Domain: domain, Accepts: func(d principal.TrustDomain) bool { return d == domain }, Tokens: true,
				UserIssuers: []string{"https://login.example"},
			})
			if err != nil {
				continue // no call can meet the policy, and no server starts with it
			}
			guards := compiled(t, layers, m.Name)
			for _, name := range []string{"", "orders", "billing", "batch/x", "batch/x/y", "ns/shop/sa/web", "other"} {
				call := policy.Call{Method: m.Name}
				if name != "" {
					id, err := principal.ParseID("spiffe://mesh.example/" + name)
					if err != nil {
						t.Fatal(err)
					}
					call.Peer = &principal.Peer{ID: id}
				}
				want := own.Judge(t.Context(), &call).Allows()
				got := true
				for _, guard := range guards {
					got = got && guard.Judge(t.Context(), call) == nil
				}
				if got != want {
					t.Fatalf("%s: %q passes %v, exported %v\n%+v\n%s", m.Name, name, want, got, m.Auth, text)
				}
				if got {
					passed++
				}
			}
			sameTraffic(t, m, table.Toward(host).Traffic(m.Name), text)
		}
	}
	if passed < 1000 {
		t.Errorf("only %d calls passed", passed)
	}
}

func sameTraffic(t *testing.T, m policy.Method, back policy.Traffic, text []byte) {
	t.Helper()
	var wrong []string
	check := func(what string, stated bool, was, is any) {
		if stated && fmt.Sprint(was) != fmt.Sprint(is) {
			wrong = append(wrong, fmt.Sprintf("%s %v is %v", what, was, is))
		}
	}
	check("the deadline", true, m.Deadline.Value, back.Deadline.Value)
	attempts := m.Retry.MaxAttempts
	if m.Idempotency.Value == policy.IdempotencyUnknown {
		check("the attempts of what must not be repeated", true, 1, back.Retry.MaxAttempts.Value)
	} else {
		check("the attempts", attempts.Stated(), attempts.Value, back.Retry.MaxAttempts.Value)
	}
	if back.Retry.MaxAttempts.Value > 1 {
		check("the time per attempt", true, m.Retry.PerAttemptTimeout.Value, back.Retry.PerAttemptTimeout.Value)
		check("the backoff", m.Retry.InitialBackoff.Stated(), m.Retry.InitialBackoff.Value, back.Retry.InitialBackoff.Value)
		check("the codes", m.Retry.Codes.Stated(), m.Retry.Codes.Value, slices.Clone(back.Retry.Codes.Value))
	}
	if len(wrong) > 0 {
		t.Fatalf("%s: %q\n%s", m.Name, wrong, text)
	}
}
