package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"os"
	"os/exec"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/issuer"
)

const fipsChild = "PARLEY_TEST_FIPS_CHILD"

// Everything works where Go allows nothing but FIPS 140-3 cryptography, with both kinds of keys. The mode holds for a
// whole process, so a child of this test runs in it.
func TestFIPS(t *testing.T) {
	if os.Getenv(fipsChild) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^Test(FIPS|SealedKeys)$", "-test.v")
		cmd.Env = append(os.Environ(), fipsChild+"=1", "GODEBUG=fips140=only")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if !fips140.Enabled() {
		t.Fatal("the child is not in FIPS mode")
	}
	p256 := func() crypto.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	for name, test := range map[string]struct {
		signer func() crypto.Signer
		opts   []auth.Option
	}{
		"Ed25519": {func() crypto.Signer { return newSigner(t) }, nil},
		"ES256":   {p256, []auth.Option{auth.WithES256()}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, test.opts...)
			m.keys = issuer.NewKeys(test.signer())
			m.open()
			token, err := tokens.FromIssuer(
				issuerName, issuerName+"/token", m.service, tokens.WithRoundTripper(m),
			).Token(t.Context(), m.server.ID())
			if err != nil || token.Value == "" {
				t.Errorf("client credentials: %v", err)
			}
			dial := m.serve(auth.WithTransactionTokens(auth.Issuer{Name: issuerName, Keys: m.keySet()}))
			r := m.post(m.aliceForm())
			m.token(t, r, "txntoken+jwt")
			ctx := metadata.AppendToOutgoingContext(t.Context(), auth.TransactionTokenKey, r.text("access_token"))
			if err := m.call(ctx, dial, m.service.DialOptions(m.server.ID())...); err != nil ||
				m.handlers.user.Subject != "alice" {
				t.Errorf("transaction token: %v, %+v", err, m.handlers.user)
			}
		})
	}
}
