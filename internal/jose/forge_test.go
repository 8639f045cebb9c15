package jose_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

const typ = "at+jwt"

// forger signs whatever it is told to, with a key that the verifier trusts: the tests then know that nothing but the
// front end can refuse the token.
type forger struct {
	raw    ed25519.PrivateKey
	public *jose.PublicKey
}

func newForger(t testing.TB) *forger {
	t.Helper()
	raw := ed25519.NewKeyFromSeed([]byte("a seed that is 32 bytes in length"[:32]))
	public, err := jose.ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(raw[32:])) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	return &forger{raw: raw, public: public}
}

// token signs payload under a header of the form {"alg":"EdDSA","kid":KID,"typ":"at+jwt"}, in which KID stands for the
// key's thumbprint.
func (f *forger) token(header, payload string) string {
	return f.sign(b64(f.header(header)) + "." + b64(payload))
}

func (f *forger) header(header string) string {
	return strings.ReplaceAll(header, "KID", `"`+f.public.Thumbprint()+`"`)
}

func (f *forger) sign(signed string) string {
	return signed + "." + b64(string(ed25519.Sign(f.raw, []byte(signed))))
}

// check takes the way of every token and returns why it ended, or "" when the token holds.
func (f *forger) check(t testing.TB, compact string, key *jose.PublicKey) jose.Reason {
	t.Helper()
	token, err := jose.Parse(compact, typ)
	if err == nil {
		_, err = token.Verify(key)
	}
	if err == nil {
		return ""
	}
	return reason(t, err)
}

const goodHeader = `{"alg":"EdDSA","kid":KID,"typ":"at+jwt"}`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func reason(t testing.TB, err error) jose.Reason {
	t.Helper()
	var refusal *jose.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("error is a %T, not a *jose.Error: %v", err, err)
	}
	if !errors.Is(err, refusal.Reason) {
		t.Fatalf("errors.Is does not find reason %q in %v", refusal.Reason, err)
	}
	return refusal.Reason
}

// attack is one bad input and the reason for its refusal.
type attack struct {
	name  string
	token string
	want  jose.Reason
}

func (f *forger) refuses(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			if got := f.check(t, a.token, f.public); got != a.want {
				t.Errorf("refused because of %q, want %q", got, a.want)
			}
		})
	}
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
