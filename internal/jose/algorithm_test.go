package jose_test

import (
	"crypto/fips140"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

// A key of an issuer verifies what the issuer signs, and is written and read back as the same key.
func TestEveryAlgorithm(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			p := newProvider(t, alg)
			p.refuses(t, []attack{{"honest", p.honest(), ""}})
			token, err := jose.Parse(p.honest(), typ)
			if err != nil || token.Algorithm() != alg {
				t.Fatalf("%v, %v", token, err)
			}
			text, err := p.public.MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			again := setKey(t, string(text))
			if again.Algorithm() != alg || again.Thumbprint() != p.public.Thumbprint() ||
				again.KeyID() != p.public.Thumbprint() {
				t.Errorf("%v became %v", p.public, again)
			}
		})
	}
}

// RFC 9864 renames EdDSA over Ed25519. Both names mean the same, on keys and on tokens.
func TestEd25519ByItsFullName(t *testing.T) {
	p := newProvider(t, jose.EdDSA)
	for _, name := range []string{"EdDSA", "Ed25519"} {
		p.public = setKey(t, `{"kid":"`+providerKey+`","alg":"`+name+`",`+p.members+`}`)
		p.refuses(t, []attack{
			{name + " key, EdDSA token", p.token("EdDSA", p.bare), ""},
			{name + " key, Ed25519 token", p.token("Ed25519", p.bare), ""},
		})
	}
	for name, want := range map[string]jose.Algorithm{"EdDSA": jose.EdDSA, "Ed25519": jose.EdDSA, "RS256": jose.RS256, "HS256": "", "none": "", "": "", "ed25519": ""} {
		if got, ok := jose.AlgorithmOf(name); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v", name, got, ok)
		}
	}
}

// What FIPS mode does not verify with is refused as a key, and not as each of its tokens.
func TestRSAKeyOfOddLength(t *testing.T) {
	jwk := `{"kid":"k","kty":"RSA","alg":"RS256","n":"` + modulus(2049) + `","e":"AQAB"}`
	if _, err := jose.ParseSetKey([]byte(jwk), jose.SetProfile{}); (err != nil) != fips140.Enforced() {
		t.Errorf("in FIPS mode: %v, err = %v", fips140.Enforced(), err)
	}
}

// The key and thumbprint of RFC 7638 section 3.1.
func TestThumbprintOfRFC7638(t *testing.T) {
	key := setKey(
		t,
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
	)
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; key.Thumbprint() != want {
		t.Errorf("thumbprint %s, want %s", key.Thumbprint(), want)
	}
}
