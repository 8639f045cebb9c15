package auth_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
	"time"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
)

const fipsChild = "PARLEY_TEST_FIPS_CHILD"

// Everything works where Go allows nothing but FIPS 140-3 cryptography, with both kinds of keys. The mode holds for a
// whole process, so a child of this test runs in it.
func TestFIPS(t *testing.T) {
	if os.Getenv(fipsChild) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPS$", "-test.v")
		cmd.Env = append(os.Environ(), fipsChild+"=1", "GODEBUG=fips140=only")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if !fips140.Enabled() {
		t.Fatal("the child is not in FIPS mode")
	}
	algorithmsUnderFIPS(t)
	for name, opts := range map[string][]auth.Option{"Ed25519": nil, "ES256": {auth.WithES256()}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			payment, orders := w.identity("payments", opts...), w.identity("orders", opts...)
			for _, i := range []*auth.Identity{payment, orders} { // each has read what the other published
				if err := i.Close(); err != nil {
					t.Fatal(err)
				}
			}
			payment, orders = w.identity("payments"), w.identity("orders")
			s := serve(t, payments{}, payment.ServerOptions(nil)...)
			if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)); err != nil {
				t.Errorf("connection mode: %v", err)
			}
			token, err := orders.Token(w.id("payments"), nil, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if err := quote(withBearer(t.Context(), token), foreigner(t, w, payments{})); err != nil {
				t.Errorf("bearer token: %v", err)
			}
			issuedUnderFIPS(t, map[string]jose.Algorithm{"Ed25519": jose.EdDSA, "ES256": jose.ES256}[name])

			for name, level := range map[string]policyv1.Proof{"session": policyv1.Proof_PROOF_SESSION, "wpt": policyv1.Proof_PROOF_WPT} {
				roots, certificate := w.certificate()
				table := tableOf(t, proofs(level))
				tokens := &tokenWorld{w, serve(t, payments{}, payment.ServerOptions(table, auth.WithBearer(certificate))...), roots}
				if err := quote(t.Context(), tokens.channel(auth.WithProofPolicy(table))); err != nil {
					t.Errorf("token mode, %s: %v", name, err)
				}
			}
		})
	}
}

// issuedUnderFIPS lets two workloads prove themselves by an issuer, one of them with a key that stays with a signer.
func issuedUnderFIPS(t *testing.T, alg jose.Algorithm) {
	t.Helper()
	l := newLogin(t)
	l.publish(newKey(t, alg))
	payment := l.identity("payments", l.hire("payments", newKey(t, alg), time.Hour), l.keys())
	ready(t, payment)
	files := l.hire("orders", newKey(t, alg), time.Hour)
	signer := newSigner(t)
	kept, err := jose.NewPrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.token, l.witness("spiffe://shop.example/orders", kept, time.Hour))
	orders := l.identity("orders", files, l.keys(), auth.WithSigner(signer))
	ready(t, orders)
	s := serve(t, payments{}, payment.ServerOptions(nil)...)
	if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(payment.ID())...)); err != nil {
		t.Errorf("issued identities: %v", err)
	}
	if _, err := orders.ClientAssertion(t.Context(), "", issuerName); err != nil {
		t.Errorf("client credentials: %v", err)
	}
}
