package jose_test

import (
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestAttack01And02RSAKey(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.RS256, jose.PS256} {
		t.Run(string(alg), func(t *testing.T) {
			p := newProvider(t, alg)
			var attacks []attack
			for _, name := range []string{"none", "nOnE", "HS256", "RS1", "RS384", "RS512", "PS384", "PS512", "ES256K", "rs256", "RSA-OAEP", ""} {
				attacks = append(attacks, attack{"alg " + name, p.token(name, p.bare), jose.ReasonAlgorithm})
			}
			for name, length := range map[string]int{"EdDSA": 64, "Ed25519": 64, "ES256": 64, "ES384": 96} {
				cut := func(signed []byte) []byte { return p.bare(signed)[:length] }
				attacks = append(attacks,
					attack{"alg " + name, p.token(name, p.bare), jose.ReasonSignature}, // it is too long for that
					attack{"alg " + name + " at its length", p.token(name, cut), jose.ReasonAlgorithm})
			}
			p.refuses(t, append(attacks, attack{"honest", p.honest(), ""}))
		})
	}
}

func TestAttack03RSAPublicKeyAsSharedSecret(t *testing.T) {
	raw := rsaKey(t)
	pkix, err := x509.MarshalPKIXPublicKey(&raw.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs := x509.MarshalPKCS1PublicKey(&raw.PublicKey)
	for _, alg := range []jose.Algorithm{jose.RS256, jose.PS256} {
		p := newProvider(t, alg)
		var attacks []attack
		for name, secret := range map[string][]byte{
			"PKIX DER": pkix, "PKIX PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
			"PKCS 1 DER": pkcs, "PKCS 1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs}),
			"modulus": raw.N.Bytes(), "JWK": []byte("{" + p.members + "}"),
		} {
			mac := func(signed []byte) []byte {
				h := hmac.New(sha256.New, secret)
				h.Write(signed)
				return h.Sum(nil)
			}
			attacks = append(attacks,
				attack{name, p.token("HS256", mac), jose.ReasonAlgorithm},
				attack{name + " under the key's alg", p.token(string(alg), mac), jose.ReasonSignature})
		}
		t.Run(string(alg), func(t *testing.T) { p.refuses(t, attacks) })
	}
}

// One RSA key can sign both ways. It counts for the one that it was published for.
func TestAttack04OtherSchemeOfTheSameRSAKey(t *testing.T) {
	rs, ps := newProvider(t, jose.RS256), newProvider(t, jose.PS256)
	t.Run("RS256 key", func(t *testing.T) {
		rs.refuses(t, []attack{
			{"PS256 over an RS256 signature", rs.token("PS256", rs.bare), jose.ReasonAlgorithm},
			{"PS256 over a PS256 signature", ps.honest(), jose.ReasonAlgorithm},
			{"RS256 over a PS256 signature", rs.token("RS256", ps.bare), jose.ReasonSignature},
		})
	})
	t.Run("PS256 key", func(t *testing.T) {
		ps.refuses(t, []attack{
			{"RS256 over a PS256 signature", ps.token("RS256", ps.bare), jose.ReasonAlgorithm},
			{"RS256 over an RS256 signature", rs.honest(), jose.ReasonAlgorithm},
			{"PS256 over an RS256 signature", ps.token("PS256", rs.bare), jose.ReasonSignature},
		})
	})
}

// The salt has the length of the hash (RFC 7518 section 3.5).
func TestAttack04SaltOfAnotherLength(t *testing.T) {
	raw, p := rsaKey(t), newProvider(t, jose.PS256)
	var attacks []attack
	lengths := []int{1, 20, 31, 32, 33, 64, 222}
	if fips140.Enforced() {
		lengths = lengths[:4] // FIPS 186-5 section 5.4 has no longer ones, so that none can be made
	}
	for _, length := range lengths {
		want := jose.ReasonSignature
		if length == sha256.Size {
			want = ""
		}
		bare := func(signed []byte) []byte { return salted(t, raw, crypto.SHA256, length, signed) }
		attacks = append(attacks, attack{strconv.Itoa(length) + " bytes", p.token("PS256", bare), want})
	}
	p.refuses(t, attacks)
}

func TestAttack05RSASignature(t *testing.T) {
	raw := rsaKey(t)
	for _, alg := range []jose.Algorithm{jose.RS256, jose.PS256} {
		p := newProvider(t, alg)
		with := func(change func(signature []byte) []byte) string {
			return p.token(string(alg), func(signed []byte) []byte { return change(p.bare(signed)) })
		}
		always := func(signature []byte) string { return with(func([]byte) []byte { return signature }) }
		number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 256)) }
		one := big.NewInt(1)
		attacks := []attack{
			{"honest", p.honest(), ""},
			{"one bit changed", with(func(s []byte) []byte { s[0] ^= 1; return s }), jose.ReasonSignature},
			{"of another text", always(p.bare([]byte("x.y"))), jose.ReasonSignature},
			{"255 bytes", with(func(s []byte) []byte { return s[:255] }), jose.ReasonSignature},
			{"257 bytes", with(func(s []byte) []byte { return append(s, 0) }), jose.ReasonSignature},
			{"257 bytes, a zero ahead", with(func(s []byte) []byte { return append([]byte{0}, s...) }), jose.ReasonSignature},
			{"1024 bytes", always(make([]byte, 1024)), jose.ReasonSignature},
			{"1025 bytes", always(make([]byte, 1025)), jose.ReasonSignature},
			{"64 bytes", with(func(s []byte) []byte { return s[:64] }), jose.ReasonSignature},
			{"0", always(make([]byte, 256)), jose.ReasonSignature},
			{"1", always(number(one)), jose.ReasonSignature},
			{"n", always(number(raw.N)), jose.ReasonSignature},
			{"n - 1", always(number(new(big.Int).Sub(raw.N, one))), jose.ReasonSignature},
			{"all ones", always([]byte(strings.Repeat("\xff", 256))), jose.ReasonSignature},
			{
				"n - s",
				with(func(s []byte) []byte { return number(new(big.Int).Sub(raw.N, new(big.Int).SetBytes(s))) }),
				jose.ReasonSignature,
			},
			{
				"of SHA-384",
				with(func([]byte) []byte { return pkcs1(t, raw, crypto.SHA384, p.signed(string(alg))) }),
				jose.ReasonSignature,
			},
			{
				"of SHA-512",
				with(func([]byte) []byte { return pkcs1(t, raw, crypto.SHA512, p.signed(string(alg))) }),
				jose.ReasonSignature,
			},
			{
				"of SHA-512 with its salt",
				with(func([]byte) []byte { return salted(t, raw, crypto.SHA512, sha512.Size, p.signed(string(alg))) }),
				jose.ReasonSignature,
			},
		}
		if plus := new(big.Int).Add(raw.N, new(big.Int).SetBytes(p.bare(p.signed(string(alg))))); plus.BitLen() <= 2048 {
			attacks = append(attacks, attack{"s + n", always(number(plus)), jose.ReasonSignature})
		}
		t.Run(string(alg), func(t *testing.T) { p.refuses(t, attacks) })
	}
}
