package jose_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// benchClaims are the claims of a connection-mode proof.
func benchClaims(b *testing.B) []byte {
	b.Helper()
	now := time.Unix(1893456000, 0)
	claims, err := new(jose.ClaimsBuilder).
		String("iss", "spiffe://shop.example/orders").
		String("sub", "spiffe://shop.example/orders").
		String("aud", "spiffe://shop.example/payments").
		String("cb", strings.Repeat("A", 43)).
		String("sph", strings.Repeat("B", 43)).
		NumericDate("iat", now).
		NumericDate("exp", now.Add(time.Minute)).
		Claims()
	if err != nil {
		b.Fatal(err)
	}
	return claims
}

func benchKey(b *testing.B, alg jose.Algorithm) *jose.PrivateKey {
	b.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		b.Fatal(err)
	}
	return key
}

// BenchmarkVerify is the strict check of a token that no cache knows. Its bar is 1.2 times the CPU of the bare
// signature check, BenchmarkVerifyBare.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range jose.Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			p := newProvider(b, alg)
			signed := p.benchSigned(b)
			compact := string(signed) + "." + b64(string(p.bare(signed)))
			b.ReportAllocs()
			for b.Loop() {
				token, err := jose.Parse(compact, typ)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := token.Verify(p.public); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyBare is what BenchmarkVerify is measured against: one signature of the same text by the standard
// library.
func BenchmarkVerifyBare(b *testing.B) {
	for _, alg := range jose.Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			p := newProvider(b, alg)
			signed := p.benchSigned(b)
			signature := p.bare(signed)
			b.ReportAllocs()
			for b.Loop() {
				if !p.holds(signed, signature) {
					b.Fatal("signature does not hold")
				}
			}
		})
	}
}

// benchSigned is the signed part of a token with benchClaims.
func (p *provider) benchSigned(b *testing.B) []byte {
	b.Helper()
	header := `{"alg":"` + string(p.alg) + `","kid":"` + providerKey + `","typ":"` + typ + `"}`
	return []byte(b64(header) + "." + b64(string(benchClaims(b))))
}

// BenchmarkParse is the part of BenchmarkVerify that a forger without a key can cause.
func BenchmarkParse(b *testing.B) {
	compact, err := benchKey(b, jose.EdDSA).Sign("parley-client+jwt", benchClaims(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Parse(compact, "parley-client+jwt"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadClaims is the scan of the payload.
func BenchmarkReadClaims(b *testing.B) {
	claims := benchClaims(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strictjson.Read(claims); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSign is the making of a proof from ready claims.
func BenchmarkSign(b *testing.B) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		b.Run(string(alg), func(b *testing.B) {
			key, claims := benchKey(b, alg), benchClaims(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign("parley-client+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseHostile measures the largest token without meaning.
func BenchmarkParseHostile(b *testing.B) {
	header := base64.RawURLEncoding.EncodeToString(
		[]byte(`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 128) + `","typ":"x"}`),
	)
	compact := header + "." + strings.Repeat("A", 7800) + "." + strings.Repeat("A", 86)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Parse(compact, "x"); err != nil {
			b.Fatal(err)
		}
	}
}
