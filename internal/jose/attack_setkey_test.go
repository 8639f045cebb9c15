package jose_test

import (
	"crypto/elliptic"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

// modulus is an odd number of that many bits, which looks like a modulus, as base64url.
func modulus(bits uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	n.Add(n, big.NewInt(12345))
	return b64(string(n.Bytes()))
}

func TestAttack06And56SetKeyGate(t *testing.T) {
	rsa := func(n, e, rest string) string {
		return `{"kid":"k","kty":"RSA","n":"` + n + `","e":"` + e + `"` + rest + `}`
	}
	good := func(rest string) string { return rsa(rsaN, "AQAB", rest) }
	p384 := ecdsaMembers(t, newECDSA(t, elliptic.P384()))
	p256 := ecdsaMembers(t, newECDSA(t, elliptic.P256()))
	ec := func(members, rest string) string { return `{"kid":"k",` + members + rest + `}` }
	exponent := func(e uint64) string { return b64(string(new(big.Int).SetUint64(e).Bytes())) }
	const alg = `,"alg":"RS256"`
	for _, c := range []struct {
		name, jwk string
		want      jose.Algorithm // "" when it is refused
		says      string
	}{
		{"RS256", good(alg), jose.RS256, ""},
		{"PS256", good(`,"alg":"PS256"`), jose.PS256, ""},
		{"all that a provider says", good(`,"alg":"RS256","use":"sig","key_ops":["verify"],"x5t":"AA","x5c":["AA=="],"issuer":"https://a.example"`), jose.RS256, ""},
		{"RSA without alg", good(``), "", "RS256 or PS256"},
		{"RSA with alg RS384", good(`,"alg":"RS384"`), "", "RS256 or PS256"},
		{"RSA with alg HS256", good(`,"alg":"HS256"`), "", "RS256 or PS256"},
		{"RSA with alg none", good(`,"alg":"none"`), "", "RS256 or PS256"},
		{"RSA with alg EdDSA", good(`,"alg":"EdDSA"`), "", "RS256 or PS256"},
		{"RSA with alg null", good(`,"alg":null`), "", "RS256 or PS256"},
		{"RSA with two algs", good(`,"alg":["RS256"]`), "", "RS256 or PS256"},
		{"RSA for encryption", good(`,"alg":"RSA-OAEP","use":"enc"`), "", "RS256 or PS256"},
		{"RSA with use enc", good(alg + `,"use":"enc"`), "", "member use"},
		{"RSA of 512 bits", rsa(modulus(512), "AQAB", alg), "", "2048 to 8192"},
		{"RSA of 1024 bits", rsa(modulus(1024), "AQAB", alg), "", "2048 to 8192"},
		{"RSA of 2047 bits", rsa(modulus(2047), "AQAB", alg), "", "2048 to 8192"},
		{"RSA of 2048 bits", rsa(modulus(2048), "AQAB", alg), jose.RS256, ""},
		{"RSA of 8192 bits", rsa(modulus(8192), "AQAB", alg), jose.RS256, ""},
		{"RSA of 8193 bits", rsa(modulus(8193), "AQAB", alg), "", "2048 to 8192"},
		{"RSA of 16384 bits", rsa(modulus(16384), "AQAB", alg), "", "2048 to 8192"},
		{"RSA of 1 MiB", rsa(strings.Repeat("A", 1<<20), "AQAB", alg), "", "32768 bytes"},
		{"RSA with a zero byte ahead of n", rsa(b64("\x00"+string(unb64(t, rsaN))), "AQAB", alg), "", "zero byte"},
		{"RSA with n = 0", rsa(b64(strings.Repeat("\x00", 256)), "AQAB", alg), "", "zero byte"},
		{"RSA with an even n", rsa(b64(string(unb64(t, rsaN)[:255])+"\x00"), "AQAB", alg), "", "cannot be used"},
		{"RSA without n", `{"kid":"k","kty":"RSA","e":"AQAB"` + alg + `}`, "", "member n"},
		{"RSA with n empty", rsa("", "AQAB", alg), "", "member n"},
		{"RSA with n a number", `{"kid":"k","kty":"RSA","n":1,"e":"AQAB"` + alg + `}`, "", "member n"},
		{"RSA with padding", rsa(rsaN+"==", "AQAB", alg), "", "strict base64url"},
		{"RSA with a line end", rsa(rsaN+`\n`, "AQAB", alg), "", "strict base64url"},
		{"RSA without e", `{"kid":"k","kty":"RSA","n":"` + rsaN + `"` + alg + `}`, "", "member e"},
		{"RSA with e empty", rsa(rsaN, "", alg), "", "member e"},
		{"RSA with e = 0", rsa(rsaN, "AA", alg), "", "zero byte"},
		{"RSA with e = 1", rsa(rsaN, "AQ", alg), "", "exponent"},
		{"RSA with e = 3", rsa(rsaN, "Aw", alg), "", "exponent"},
		{"RSA with e = 65535", rsa(rsaN, exponent(65535), alg), "", "exponent"},
		{"RSA with e = 65536", rsa(rsaN, exponent(65536), alg), "", "exponent"},
		{"RSA with e = 65538", rsa(rsaN, exponent(65538), alg), "", "exponent"},
		{"RSA with e = 65539", rsa(rsaN, exponent(65539), alg), jose.RS256, ""},
		{"RSA with e = 2^31 - 1", rsa(rsaN, exponent(1<<31-1), alg), jose.RS256, ""},
		{"RSA with e = 2^31 + 1", rsa(rsaN, exponent(1<<31+1), alg), "", "exponent"},
		{"RSA with e = 2^32 + 65537", rsa(rsaN, exponent(1<<32+65537), alg), "", "exponent"},
		{"RSA with e = 2^64 + 65537", rsa(rsaN, b64("\x01\x00\x00\x00\x00\x00\x01\x00\x01"), alg), "", "exponent"},
		{"RSA with e = n", rsa(rsaN, rsaN, alg), "", "exponent"},
		{"RSA with a zero byte ahead of e", rsa(rsaN, "AAEAAQ", alg), "", "zero byte"},
		{"RSA with the coordinates of EC", good(`,"crv":"P-256","x":"` + ecX + `"` + alg), jose.RS256, ""},
		{"ES384", ec(p384, `,"alg":"ES384"`), jose.ES384, ""},
		{"P-384 without alg", ec(p384, ``), jose.ES384, ""},
		{"row 6: P-384 for ES256", ec(p384, `,"alg":"ES256"`), "", "member alg"},
		{"P-256 for ES384", ec(p256, `,"alg":"ES384"`), "", "member alg"},
		{"P-384 for RS256", ec(p384, `,"alg":"RS256"`), "", "member alg"},
		{"P-384 with the numbers of P-256", ec(strings.Replace(p256, "P-256", "P-384", 1), ``), "", "not 48 bytes"},
		{"P-256 with the numbers of P-384", ec(strings.Replace(p384, "P-384", "P-256", 1), ``), "", "not 32 bytes"},
		{"P-384 off the curve", `{"kid":"k","kty":"EC","crv":"P-384","x":"` + strings.Repeat("A", 63) + `B","y":"` + strings.Repeat("A", 63) + `B"}`, "", "point is not on P-384"},
		{"P-384 at zero", `{"kid":"k","kty":"EC","crv":"P-384","x":"` + strings.Repeat("A", 64) + `","y":"` + strings.Repeat("A", 64) + `"}`, "", "point is not on P-384"},
		{"P-384 beyond the field", `{"kid":"k","kty":"EC","crv":"P-384","x":"` + strings.Repeat("_", 64) + `","y":"` + strings.Repeat("_", 64) + `"}`, "", "point is not on P-384"},
		{"Ed25519 by its full name", `{"kid":"k","kty":"OKP","crv":"Ed25519","alg":"Ed25519","x":"` + goodX + `"}`, jose.EdDSA, ""},
		{"Ed25519 for Ed448", `{"kid":"k","kty":"OKP","crv":"Ed25519","alg":"Ed448","x":"` + goodX + `"}`, "", "member alg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := jose.ParseSetKey([]byte(c.jwk), jose.SetProfile{})
			switch {
			case c.want != "" && (err != nil || key.Algorithm() != c.want || key.KeyID() != "k"):
				t.Errorf("got %v, %v, want a key for %s", key, err, c.want)
			case c.want == "" && (!errors.Is(err, jose.ReasonKey) || key != nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, %v, want a refusal that says %q", key, err, c.says)
			}
		})
	}
}

func TestAttack56RSAKeyHoldsSecret(t *testing.T) {
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		jwk := `{"kid":"k","kty":"RSA","alg":"RS256","n":"` + rsaN + `","e":"AQAB","` + member + `":"AQAB"}`
		if key, err := jose.ParseSetKey([]byte(jwk), jose.SetProfile{}); key != nil || !errors.Is(err, jose.ReasonSecret) {
			t.Errorf("with %s: %v, %v", member, key, err)
		}
	}
}

// A workload's key is Ed25519 or P-256, although an issuer may sign with others.
func TestWorkloadKeysAreEd25519OrP256(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.ES384, jose.RS256, jose.PS256} {
		p := newProvider(t, alg)
		if key, err := jose.ParsePublicKey([]byte(`{"alg":"` + string(alg) + `",` + p.members + `}`)); key != nil ||
			!errors.Is(err, jose.ReasonKey) || !strings.Contains(err.Error(), "use a key for EdDSA (Ed25519) or ES256 (P-256)") {
			t.Errorf("%s: %v, %v", alg, key, err)
		}
		if _, err := jose.GenerateKey(alg); !errors.Is(err, jose.ReasonAlgorithm) {
			t.Errorf("%s: %v", alg, err)
		}
	}
	private := `{"kty":"RSA","n":"` + rsaN + `","e":"AQAB","d":"` + rsaD + `"}`
	if key, err := jose.ParsePrivateKey([]byte(private)); key != nil || !errors.Is(err, jose.ReasonKey) {
		t.Errorf("RSA: %v, %v", key, err)
	}
	if _, err := jose.NewPrivateKey(rsaKey(t)); !errors.Is(err, jose.ReasonKey) {
		t.Errorf("RSA signer: %v", err)
	}
}

func TestAlgorithmsOfASet(t *testing.T) {
	bare := `{"kid":"k",` + newProvider(t, jose.RS256).members
	for _, c := range []struct {
		name, jwk string
		allowed   []jose.Algorithm
		want      jose.Algorithm
	}{
		{"RSA without alg where RS256 is said", bare + `}`, []jose.Algorithm{jose.EdDSA, jose.RS256}, jose.RS256},
		{"RSA without alg where PS256 is said", bare + `}`, []jose.Algorithm{jose.PS256}, jose.PS256},
		{"RSA without alg where both are said", bare + `}`, []jose.Algorithm{jose.PS256, jose.RS256}, ""},
		{"RSA without alg where none is said", bare + `}`, []jose.Algorithm{jose.EdDSA}, ""},
		{"PS256 where RS256 is said", bare + `,"alg":"PS256"}`, []jose.Algorithm{jose.RS256}, ""},
		{"RS256 where PS256 is said", bare + `,"alg":"RS256"}`, []jose.Algorithm{jose.PS256}, ""},
		{"RS256 where EdDSA is said", bare + `,"alg":"RS256"}`, []jose.Algorithm{jose.EdDSA}, ""},
		{"P-384 where ES256 is said", `{"kid":"k",` + newProvider(t, jose.ES384).members + `}`, []jose.Algorithm{jose.ES256}, ""},
		{"Ed25519 where RS256 is said", `{"kid":"k",` + newProvider(t, jose.EdDSA).members + `}`, []jose.Algorithm{jose.RS256}, ""},
		{"anything where nothing is said", `{"kid":"k",` + newProvider(t, jose.EdDSA).members + `}`, []jose.Algorithm{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := jose.ParseSetKey([]byte(c.jwk), jose.SetProfile{Algorithms: c.allowed})
			switch {
			case c.want == "" && (key != nil || !errors.Is(err, jose.ReasonKey)):
				t.Errorf("got %v, %v, want a refusal", key, err)
			case c.want != "" && (err != nil || key.Algorithm() != c.want):
				t.Errorf("got %v, %v, want a key for %s", key, err, c.want)
			}
		})
	}
}
