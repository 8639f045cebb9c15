package jose_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// benchClaims are those of a connection-mode proof.
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

// BenchmarkVerify is the strict check of a token that no cache knows. Its bar is 1.2 times the CPU of the bare signature
// check, BenchmarkVerifyBare.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		b.Run(string(alg), func(b *testing.B) {
			key := benchKey(b, alg)
			compact, err := key.Sign("parley-client+jwt", benchClaims(b))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				token, err := jose.Parse(compact, "parley-client+jwt")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := token.Verify(key.Public()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyBare is what BenchmarkVerify is measured against: one signature of the same length.
func BenchmarkVerifyBare(b *testing.B) {
	compact, err := benchKey(b, jose.EdDSA).Sign("parley-client+jwt", benchClaims(b))
	if err != nil {
		b.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	signed := []byte(compact[:strings.LastIndexByte(compact, '.')])
	signature := ed25519.Sign(private, signed)
	b.ReportAllocs()
	for b.Loop() {
		if !ed25519.Verify(public, signed, signature) {
			b.Fatal("signature does not hold")
		}
	}
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
		if _, err := jose.ReadClaims(claims); err != nil {
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

// BenchmarkParseHostile is what the largest token without meaning costs.
func BenchmarkParseHostile(b *testing.B) {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"` + strings.Repeat("k", 128) + `","typ":"x"}`))
	compact := header + "." + strings.Repeat("A", 7800) + "." + strings.Repeat("A", 86)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.Parse(compact, "x"); err != nil {
			b.Fatal(err)
		}
	}
}
