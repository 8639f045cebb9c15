package auth_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// bearer is a bearer token of the issuer for orders towards payments.
func (l *login) bearer() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sign(l.t, l.key, "at+jwt", claims{
		"iss": issuerName, "sub": "spiffe://shop.example/orders", "aud": "spiffe://shop.example/payments",
		"iat": in(0), "exp": in(10 * time.Minute), "jti": "1",
	})
}

// issuedTokens is payments in token mode, whose issuer vouches for it and for its callers, and a channel of orders to
// it.
func issuedTokens(t testing.TB, level policyv1.Proof, intercept ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l := newLogin(t)
	l.publish(newKey(t, jose.EdDSA))
	payment := l.identity("payments", l.hire("payments", newKey(t, jose.EdDSA), time.Hour), l.keys())
	orders := l.identity("orders", l.hire("orders", newKey(t, jose.ES256), time.Hour), l.keys())
	ready(t, payment)
	ready(t, orders)
	roots, certificate := (&world{t: t}).certificate()
	table := tableOf(t, proofs(level))
	gate := payment.Server(table, auth.WithBearer(certificate), auth.WithIssuers(auth.Issuer{
		Name: issuerName, Keys: l.keys(), Subjects: []principal.Pattern{domainOf(t, "shop.example").Pattern()},
	}))
	s := serve(t, payments{}, append(intercept, gate.ServerOptions()...)...)
	channel := orders.Channel([]principal.Pattern{payment.ID()}, auth.WithMode(auth.ModeToken), auth.WithRoots(roots), auth.WithServerName("localhost"),
		auth.WithProofPolicy(table), auth.WithTokenSource(&scriptedTokens{tokens: []string{l.bearer()}}))
	if err := channel.Check(); err != nil {
		t.Fatal(err)
	}
	return dial(t, s.dialer, channel.DialOptions()...)
}

// Workloads that know nothing of each other but their issuer prove themselves in token mode: identity tokens come
// beside the proofs.
func TestTokenModeWithIssuedIdentities(t *testing.T) {
	for name, level := range map[string]policyv1.Proof{
		"session": policyv1.Proof_PROOF_SESSION, "call": policyv1.Proof_PROOF_CALL, "wpt": policyv1.Proof_PROOF_WPT,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := issuedTokens(t, level)
				synctest.Wait() // until every key set is read
				for range 2 {
					var header metadata.MD
					if err := quote(t.Context(), cc, grpc.Header(&header)); err != nil {
						t.Fatalf("unary: %v", err)
					}
					if len(header["parley-identity"]) != 1 {
						t.Error("no identity token came beside the proof")
					}
					if _, err := watch(t.Context(), cc); err != nil {
						t.Errorf("stream: %v", err)
					}
				}
			})
		})
	}
}

// What an identity token that does not fit does to a proof.
func TestAttack64IdentityTokensBesideProofs(t *testing.T) {
	for name, change := range map[string]func(identity []string) []string{
		"missing":     func([]string) []string { return nil },
		"two":         func(s []string) []string { return []string{s[0], s[0]} },
		"empty":       func([]string) []string { return []string{""} },
		"other bytes": func(s []string) []string { return []string{s[0][:len(s[0])-86] + strings.Repeat("A", 86)} },
		"no token":    func([]string) []string { return []string{"x.y.z"} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := issuedTokens(t, policyv1.Proof_PROOF_SESSION, grpc.ChainUnaryInterceptor(
					func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
						forged := &forgedHeader{grpc.ServerTransportStreamFromContext(ctx), change}
						return handler(grpc.NewContextWithServerTransportStream(ctx, forged), req)
					}))
				synctest.Wait() // until every key set is read
				refused(t, "unary", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
			})
		})
	}
}

// forgedHeader replaces the identity tokens in the header of an answer.
type forgedHeader struct {
	grpc.ServerTransportStream
	change func([]string) []string
}

func (f *forgedHeader) SetHeader(md metadata.MD) error {
	md = md.Copy()
	md["parley-identity"] = f.change(md["parley-identity"])
	return f.ServerTransportStream.SetHeader(md)
}

func TestIssuedIdentityNeedsATokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		orders := l.identity("orders", l.hire("orders", newKey(t, jose.EdDSA), time.Hour), l.keys())
		err := orders.Channel([]principal.Pattern{orders.ID()}, auth.WithMode(auth.ModeToken)).Check()
		if err == nil || !strings.Contains(err.Error(), "WithTokenSource") {
			t.Errorf("Check = %v", err)
		}
	})
}
