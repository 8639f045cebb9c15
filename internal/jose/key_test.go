package jose_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestKeyRoundTrip(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			key, err := jose.GenerateKey(alg)
			if err != nil {
				t.Fatal(err)
			}
			secret, err := key.MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			again, err := jose.ParsePrivateKey(secret)
			if err != nil {
				t.Fatal(err)
			}
			open, err := again.Public().MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			public, err := jose.ParsePublicKey(open)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := again.Sign(typ, []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := new(forger).check(t, compact, public); got != "" {
				t.Errorf("refused because of %q", got)
			}
			if public.Thumbprint() != key.Public().Thumbprint() || public.Algorithm() != alg {
				t.Errorf("%v became %v", key.Public(), public)
			}
		})
	}
	if _, err := jose.GenerateKey("RS256"); !errors.Is(err, jose.ReasonAlgorithm) {
		t.Errorf("RS256: %v", err)
	}
}

// The key and thumbprint of RFC 8037 appendix A.3.
func TestThumbprintOfRFC8037(t *testing.T) {
	key, err := jose.ParsePublicKey(
		[]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; key.Thumbprint() != want {
		t.Errorf("thumbprint %s, want %s", key.Thumbprint(), want)
	}
}

// The key of RFC 7515 appendix A.3; its thumbprint was computed apart, in Python.
func TestThumbprintOfP256(t *testing.T) {
	key, err := jose.ParsePrivateKey([]byte(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
		"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"; key.Public().Thumbprint() != want {
		t.Errorf("thumbprint %s, want %s", key.Public().Thumbprint(), want)
	}
}

func TestPrivateKeyNeverPrintsItsSecret(t *testing.T) {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	want := "private EdDSA key " + key.Public().Thumbprint()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		if got := fmt.Sprintf(verb, key); got != want {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		typ, claims string
		want        jose.Reason
	}{
		"no type":          {"", `{}`, jose.ReasonType},
		"injecting type":   {`a","alg":"none`, `{}`, jose.ReasonType},
		"no claims":        {typ, ``, jose.ReasonClaims},
		"duplicate claims": {typ, `{"a":1,"A":1}`, jose.ReasonClaims},
		"long claims":      {typ, `{"a":"` + strings.Repeat("a", 6200) + `"}`, jose.ReasonSize},
	} {
		if compact, err := key.Sign(c.typ, []byte(c.claims)); !errors.Is(err, c.want) {
			t.Errorf("%s signs %q, %v", name, compact, err)
		}
	}
}

// weakPoints are the encodings of the points of small order whose sign bit is zero, and of the encodings that are not
// canonical, as listed by Chalkias, Garillot and Nikolaenko, "Taming the Many EdDSAs" (2020).
var weakPoints = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestAttack56WeakPoints(t *testing.T) {
	for _, point := range weakPoints {
		for _, sign := range []byte{0, 0x80} {
			raw, err := hex.DecodeString(point)
			if err != nil {
				t.Fatal(err)
			}
			raw[31] |= sign
			if _, err := jose.ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(raw)) + `"}`)); !errors.Is(
				err,
				jose.ReasonKey,
			) {
				t.Errorf("%x is taken: %v", raw, err)
			}
			if !forgeable(raw) {
				t.Errorf("%x is no weak point; nothing is signed by it", raw)
			}
		}
	}
	// Of random encodings about half are points; none of them may be refused for another reason.
	points := 0
	for i := range 200 {
		seed := strings.Repeat(string(rune('A'+i%26)), 31) + string(rune(i%128))
		public := ed25519.NewKeyFromSeed([]byte(seed)).Public().(ed25519.PublicKey)
		if _, err := jose.ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(public)) + `"}`)); err != nil {
			t.Errorf("%x: %v", public, err)
		}
		public[0] ^= 1
		if _, err := jose.ParsePublicKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + b64(string(public)) + `"}`)); err == nil {
			points++
		}
	}
	if points < 60 || points > 140 {
		t.Errorf("%d of 200 changed encodings are points", points)
	}
}

// forgeable reports whether some message bears the signature that anyone can write: R of small order and S zero.
func forgeable(key ed25519.PublicKey) bool {
	for i := range 64 {
		for _, point := range weakPoints[:5] {
			for _, sign := range []byte{0, 0x80} {
				r, err := hex.DecodeString(point)
				if err != nil {
					return false
				}
				r[31] |= sign
				if ed25519.Verify(key, []byte{byte(i)}, append(r, make([]byte, 32)...)) {
					return true
				}
			}
		}
	}
	return false
}
