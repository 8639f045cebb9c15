package authtest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/authtest"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (payments) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, nil
}

func (payments) WatchCharge(*paymentsv1.WatchChargeRequest, grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
	return nil
}

func identity(t *testing.T, name string) *auth.Identity {
	t.Helper()
	id, err := principal.ParseID(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	i := auth.TrustDir(dir, id, auth.WithEnroll())
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// parley is a server of this module that trusts the issuers of the kit.
func parley(t *testing.T, trust authtest.Trust) authtest.Server {
	subject, err := principal.ParseID(trust.Subject)
	if err != nil {
		t.Fatal(err)
	}
	certificate := newCertificate(t)
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Peers: []string{trust.Subject}}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	issuer := func(name string, jwks []byte) auth.Issuer {
		return auth.Issuer{Name: name, Keys: keyset.Static(jwks), Subjects: []principal.Pattern{subject}}
	}
	gate := identity(t, trust.Audience).Server(table,
		auth.WithBearer(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }),
		auth.WithIssuers(issuer(trust.Issuer, trust.JWKS), issuer(trust.Other, trust.OtherJWKS)))
	if err := gate.Check(); err != nil {
		t.Fatal(err)
	}
	srv, lis := grpc.NewServer(gate.ServerOptions()...), bufconn.Listen(1<<16)
	paymentsv1.RegisterPaymentsServiceServer(srv, payments{})
	go func() { _ = srv.Serve(lis) }()
	t.Cleanup(srv.Stop)
	cc, err := grpc.NewClient("passthrough:///payments",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return authtest.Server{
		Conn: cc, Unary: paymentsv1.PaymentsService_GetQuote_FullMethodName, Stream: paymentsv1.PaymentsService_WatchCharge_FullMethodName,
	}
}

// Parley's own server passes. It waits a moment for a key that it does not know, so this is a matter of virtual time.
func TestParleyHoldsEveryAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := authtest.NewIssuer()
		server := parley(t, issuer.Trust())
		calls, made := issuer.Calls(), time.Now()
		for n := range calls {
			if time.Since(made) > 5*time.Second {
				calls, made = issuer.Calls(), time.Now()
			}
			for range 2 {
				if err := calls[n].Check(t.Context(), server); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// The kit's own tests of a server are real ones.
func TestCallsOfAGoodServer(t *testing.T) {
	authtest.Calls(t, func(t *testing.T, trust authtest.Trust) authtest.Server {
		verify := newVerifier(trust).check
		decide := func(md metadata.MD) error {
			if token, ok := exactly(md); ok && verify(t.Context(), token) == nil {
				return nil
			}
			return status.Error(codes.Unauthenticated, "")
		}
		return authtest.Server{Conn: conn{decide, decide}, Unary: "/a/b", Stream: "/a/c"}
	})
}

// The kit runs in a bubble, too.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := authtest.NewIssuer()
		verify := newVerifier(issuer.Trust()).check
		attacks := issuer.Attacks()
		for _, attack := range attacks {
			if err := attack.Check(t.Context(), verify); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour)
		for _, attack := range attacks { // nothing is good any more
			if attack.Row == 30 {
				continue // some were made for later
			}
			attack.Good = false
			if err := attack.Check(t.Context(), verify); err != nil {
				t.Errorf("an hour later: %v", err)
			}
		}
	})
}

// Attacks have names that say which they are, and every row that a token can be is there.
func TestAttacksAreTold(t *testing.T) {
	seen, rows := map[string]bool{}, map[int]bool{}
	for _, attack := range authtest.NewIssuer().Attacks() {
		if seen[attack.String()] {
			t.Errorf("%v is there twice", attack)
		}
		seen[attack.String()], rows[attack.Row] = true, true
	}
	for row := range 47 {
		// 40 and 41 are metadata, 7 to 9 and the like are there; 47 is a flood.
		if !rows[row] && row != 40 && row != 41 {
			t.Errorf("row %d has no attack", row)
		}
	}
	if authtest.WithoutKey("no token") != nil {
		t.Error("attacks out of nothing")
	}
	for _, length := range []string{"..", "a.b.c", "é.é.é"} {
		_ = authtest.WithoutKey(length) // must not panic
	}
}

// What needs no key is made from whatever token one has.
func TestWithoutKeyOfAnotherIssuer(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign("at+jwt", []byte(`{"sub":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(_ context.Context, token string) error {
		parsed, err := jose.Parse(token, "at+jwt")
		if err != nil {
			return err
		}
		_, err = parsed.Verify(key.Public())
		return err
	}
	for _, attack := range append(authtest.WithoutKey(token), authtest.Attack{Name: "itself", Token: token, Good: true}) {
		if err := attack.Check(t.Context(), verify); err != nil {
			t.Error(err)
		}
	}
}

// newCertificate is one that nobody verifies.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"payments"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
