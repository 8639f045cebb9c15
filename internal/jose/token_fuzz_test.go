package jose_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// FuzzParse asks of every token that parses that there is no other way to write it, and that no key holds it.
func FuzzParse(f *testing.F) {
	forge := newForger(f)
	f.Add(forge.token(goodHeader, `{"sub":"a"}`))
	f.Add(forge.token(`{"alg":"ES256","kid":KID,"typ":"at+jwt"}`, `{}`))
	f.Add(forge.token(`{"alg":"EdDSA","kid":"\u0061","typ":"at+jwt"}`, ``))
	f.Add("..")
	f.Add(strings.Repeat(".", 9000))
	f.Fuzz(func(t *testing.T, compact string) {
		token, err := jose.Parse(compact, typ)
		if err != nil {
			_ = reason(t, err)
			return
		}
		if strings.Count(compact, ".") != 2 || len(compact) > jose.MaxTokenLength || token.Type() != typ ||
			token.KeyID() == "" {
			t.Fatalf("%q parses as %v", compact, token)
		}
		for segment := range strings.SplitSeq(compact, ".") {
			decoded, err := base64.RawURLEncoding.DecodeString(segment)
			if err != nil || base64.RawURLEncoding.EncodeToString(decoded) != segment {
				t.Fatalf("segment %q is not the only way to write its bytes", segment)
			}
		}
		claims, err := token.Verify(forge.public)
		if err == nil && compact != forge.sign(compact[:strings.LastIndexByte(compact, '.')]) {
			t.Fatalf("%q verifies: %q", compact, claims.Names())
		}
	})
}

// FuzzPayload signs any payload and asks that reading is what [strictjson.Read] says of it.
func FuzzPayload(f *testing.F) {
	forge := newForger(f)
	f.Add(`{"sub":"a"}`)
	f.Add(`{"sub":"a","SUB":"b"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		_, want := strictjson.Read([]byte(payload))
		token, err := jose.Parse(forge.token(goodHeader, payload), typ)
		if err != nil {
			return // empty or too long
		}
		if _, err := token.Verify(forge.public); (err == nil) != (want == nil) {
			t.Fatalf("%q: %v, want %v", payload, err, want)
		}
	})
}

// FuzzParsePublicKey asks that whatever is read is written back as the same key, and verifies without a panic.
func FuzzParsePublicKey(f *testing.F) {
	forge := newForger(f)
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		key, err := jose.GenerateKey(alg)
		if err != nil {
			f.Fatal(err)
		}
		public, err := key.Public().MarshalJWK()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(public)
	}
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`))
	f.Add([]byte(`{"kty":"oct","k":"AA"}`))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := jose.ParsePublicKey(text)
		if err != nil {
			_ = reason(t, err)
			return
		}
		written, err := key.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParsePublicKey(written)
		if err != nil || again.Thumbprint() != key.Thumbprint() || again.Algorithm() != key.Algorithm() {
			t.Fatalf("%q is read back as %v, %v", written, again, err)
		}
		header := `{"alg":"` + string(key.Algorithm()) + `","kid":"` + key.Thumbprint() + `","typ":"at+jwt"}`
		unsigned := b64(header) + "." + b64(`{}`) + "." + b64(strings.Repeat("\x00", 64))
		if got := forge.check(t, unsigned, key); got != jose.ReasonSignature {
			t.Fatalf("%q: a signature of zeros ends with %q", text, got)
		}
	})
}

// FuzzParseSetKey asks the same of the keys of an issuer.
func FuzzParseSetKey(f *testing.F) {
	for _, alg := range jose.Algorithms() {
		f.Add([]byte(`{"kid":"a","alg":"` + string(alg) + `",` + newProvider(f, alg).members + `}`))
	}
	f.Add([]byte(`{"kid":"a","alg":"RS256","kty":"RSA","n":"` + modulus(2048) + `","e":"Aw"}`))
	f.Add([]byte(`{"kid":"a","alg":"Ed25519","kty":"OKP","crv":"Ed25519","x":"AA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := jose.ParseSetKey(text, jose.SetProfile{})
		if err != nil {
			_ = reason(t, err)
			return
		}
		written, err := key.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParseSetKey(written, jose.SetProfile{})
		if err != nil || again.Thumbprint() != key.Thumbprint() || again.Algorithm() != key.Algorithm() {
			t.Fatalf("%q is read back as %v, %v", written, again, err)
		}
		header := `{"alg":"` + string(key.Algorithm()) + `","kid":"` + again.KeyID() + `","typ":"at+jwt"}`
		length := map[jose.Algorithm]int{jose.ES384: 96, jose.RS256: 256, jose.PS256: 256}[key.Algorithm()]
		zeros := b64(strings.Repeat("\x00", max(64, length)))
		if got := new(forger).check(t, b64(header)+"."+b64(`{}`)+"."+zeros, again); got != jose.ReasonSignature {
			t.Fatalf("%q: a signature of zeros ends with %q", text, got)
		}
	})
}
