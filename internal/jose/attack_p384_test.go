package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestAttack05Es384Signature(t *testing.T) {
	curve := elliptic.P384()
	raw := newECDSA(t, curve)
	p := &provider{alg: jose.ES384, public: setKey(t, `{"kid":"`+providerKey+`",`+ecdsaMembers(t, raw)+`}`)}
	n, zero, one := curve.Params().N, new(big.Int), big.NewInt(1)
	token := func(form func(r, s *big.Int) []byte) string {
		return p.token("ES384", func(signed []byte) []byte { return form(ecdsaSign(t, raw, signed)) })
	}
	numbers := func(choose func(r, s *big.Int) (*big.Int, *big.Int)) string {
		return token(func(r, s *big.Int) []byte { r, s = choose(r, s); return pair(curve, r, s) })
	}
	bytes := func(change func(signature []byte) []byte) string {
		return token(func(r, s *big.Int) []byte { return change(pair(curve, r, s)) })
	}
	der := p.token("ES384", func(signed []byte) []byte {
		signature, err := ecdsa.SignASN1(rand.Reader, raw, ecdsaDigest(curve, signed))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	})
	p.refuses(t, []attack{
		{"raw", bytes(func(s []byte) []byte { return s }), ""},
		{"r = s = 0", numbers(func(_, _ *big.Int) (*big.Int, *big.Int) { return zero, zero }), jose.ReasonSignature},
		{"r = 0", numbers(func(_, s *big.Int) (*big.Int, *big.Int) { return zero, s }), jose.ReasonSignature},
		{"s = 0", numbers(func(r, _ *big.Int) (*big.Int, *big.Int) { return r, zero }), jose.ReasonSignature},
		{"r = n", numbers(func(_, s *big.Int) (*big.Int, *big.Int) { return n, s }), jose.ReasonSignature},
		{"s = n", numbers(func(r, _ *big.Int) (*big.Int, *big.Int) { return r, n }), jose.ReasonSignature},
		{"r = s = 1", numbers(func(_, _ *big.Int) (*big.Int, *big.Int) { return one, one }), jose.ReasonSignature},
		{"halves swapped", numbers(func(r, s *big.Int) (*big.Int, *big.Int) { return s, r }), jose.ReasonSignature},
		{"all ones", bytes(func([]byte) []byte { return []byte(strings.Repeat("\xff", 96)) }), jose.ReasonSignature},
		{"DER", der, jose.ReasonSignature},
		{"64 bytes", bytes(func(s []byte) []byte { return s[:64] }), jose.ReasonSignature},
		{"95 bytes", bytes(func(s []byte) []byte { return s[:95] }), jose.ReasonSignature},
		{"97 bytes", bytes(func(s []byte) []byte { return append(s, 0) }), jose.ReasonSignature},
		{"97 bytes, a zero ahead", bytes(func(s []byte) []byte { return append([]byte{0}, s...) }), jose.ReasonSignature},
		{
			"132 bytes, as of P-521",
			bytes(func(s []byte) []byte { return append(s, make([]byte, 36)...) }),
			jose.ReasonSignature,
		},
	})
}

// A curve has one algorithm, whatever the header says.
func TestAttack06AlgorithmOfAnotherCurve(t *testing.T) {
	small, large := newProvider(t, jose.ES256), newProvider(t, jose.ES384)
	t.Run("P-384 key", func(t *testing.T) {
		large.refuses(t, []attack{
			{"ES256", large.token("ES256", large.bare), jose.ReasonSignature},
			{
				"ES256 at its length",
				large.token("ES256", func(s []byte) []byte { return large.bare(s)[:64] }),
				jose.ReasonAlgorithm,
			},
			{"ES512", large.token("ES512", large.bare), jose.ReasonAlgorithm},
			{
				"RS256 at its length",
				large.token("RS256", func([]byte) []byte { return make([]byte, 256) }),
				jose.ReasonAlgorithm,
			},
		})
	})
	t.Run("P-256 key", func(t *testing.T) {
		small.refuses(t, []attack{
			{"ES384", small.token("ES384", small.bare), jose.ReasonSignature},
			{
				"ES384 at its length",
				small.token("ES384", func(s []byte) []byte { return append(small.bare(s), make([]byte, 32)...) }),
				jose.ReasonAlgorithm,
			},
			{
				"ES256 with the hash of ES384",
				small.token("ES256", func(signed []byte) []byte { return large.bare(signed)[:64] }),
				jose.ReasonSignature,
			},
		})
	})
}
