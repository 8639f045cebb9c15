package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

// The RSA key of RFC 7515 appendix A.2, which is public.
const (
	rsaN = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
	rsaD = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
	rsaP = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"
	rsaQ = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"
)

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	number := func(s string) *big.Int { return new(big.Int).SetBytes(unb64(t, s)) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number(rsaN), E: 65537}, D: number(rsaD), Primes: []*big.Int{number(rsaP), number(rsaQ)},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}

// provider is an issuer that signs any claims, with a key that it publishes as providerKey.
type provider struct {
	alg     jose.Algorithm
	members string // of the public key
	public  *jose.PublicKey
	bare    func(signed []byte) []byte
	holds   func(signed, signature []byte) bool // by the standard library
}

const providerKey = "2026-11"

func newProvider(t testing.TB, alg jose.Algorithm) *provider {
	t.Helper()
	p := &provider{alg: alg}
	switch alg {
	case jose.EdDSA:
		raw := newForger(t).raw
		p.members = `"kty":"OKP","crv":"Ed25519","x":"` + b64(string(raw[32:])) + `"`
		p.bare = func(signed []byte) []byte { return ed25519.Sign(raw, signed) }
		public := ed25519.PublicKey(raw[32:])
		p.holds = func(signed, signature []byte) bool { return ed25519.Verify(public, signed, signature) }
	case jose.ES256:
		p.ecdsa(t, elliptic.P256())
	case jose.ES384:
		p.ecdsa(t, elliptic.P384())
	case jose.RS256:
		raw := rsaKey(t)
		p.members = `"kty":"RSA","n":"` + rsaN + `","e":"AQAB"`
		p.bare = func(signed []byte) []byte { return pkcs1(t, raw, crypto.SHA256, signed) }
		p.holds = func(signed, signature []byte) bool {
			digest := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(&raw.PublicKey, crypto.SHA256, digest[:], signature) == nil
		}
	case jose.PS256:
		raw := rsaKey(t)
		p.members = `"kty":"RSA","n":"` + rsaN + `","e":"AQAB"`
		p.bare = func(signed []byte) []byte { return salted(t, raw, crypto.SHA256, sha256.Size, signed) }
		p.holds = func(signed, signature []byte) bool {
			digest := sha256.Sum256(signed)
			return rsa.VerifyPSS(
				&raw.PublicKey,
				crypto.SHA256,
				digest[:],
				signature,
				&rsa.PSSOptions{SaltLength: sha256.Size},
			) == nil
		}
	}
	p.public = setKey(t, `{"kid":"`+providerKey+`","alg":"`+string(alg)+`",`+p.members+`}`)
	return p
}

func setKey(t testing.TB, jwk string) *jose.PublicKey {
	t.Helper()
	key, err := jose.ParseSetKey([]byte(jwk), jose.SetProfile{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *provider) ecdsa(t testing.TB, curve elliptic.Curve) {
	t.Helper()
	raw := newECDSA(t, curve)
	p.members = ecdsaMembers(t, raw)
	p.bare = func(signed []byte) []byte { r, s := ecdsaSign(t, raw, signed); return pair(curve, r, s) }
	p.holds = func(signed, signature []byte) bool {
		half := len(signature) / 2
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(&raw.PublicKey, ecdsaDigest(curve, signed), r, s)
	}
}

func newECDSA(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	raw, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func ecdsaMembers(t testing.TB, raw *ecdsa.PrivateKey) string {
	t.Helper()
	point, err := raw.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	half := 1 + len(point)/2
	return `"kty":"EC","crv":"` + raw.Params().Name + `","x":"` + b64(
		string(point[1:half]),
	) + `","y":"` + b64(
		string(point[half:]),
	) + `"`
}

func ecdsaDigest(curve elliptic.Curve, signed []byte) []byte {
	if curve == elliptic.P384() {
		return digest(crypto.SHA384, signed)
	}
	return digest(crypto.SHA256, signed)
}

func ecdsaSign(t testing.TB, raw *ecdsa.PrivateKey, signed []byte) (r, s *big.Int) {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, raw, ecdsaDigest(raw.Curve, signed))
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

// pair writes r and s as RFC 7518 has it.
func pair(curve elliptic.Curve, r, s *big.Int) []byte {
	half := curve.Params().BitSize / 8
	out := make([]byte, 2*half)
	r.FillBytes(out[:half])
	s.FillBytes(out[half:])
	return out
}

func pkcs1(t testing.TB, raw *rsa.PrivateKey, hash crypto.Hash, signed []byte) []byte {
	t.Helper()
	signature, err := rsa.SignPKCS1v15(rand.Reader, raw, hash, digest(hash, signed))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func salted(t testing.TB, raw *rsa.PrivateKey, hash crypto.Hash, salt int, signed []byte) []byte {
	t.Helper()
	signature, err := rsa.SignPSS(rand.Reader, raw, hash, digest(hash, signed), &rsa.PSSOptions{SaltLength: salt})
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func digest(hash crypto.Hash, signed []byte) []byte {
	h := hash.New()
	h.Write(signed)
	return h.Sum(nil)
}

// signed returns the signed part of a token whose header names alg.
func (p *provider) signed(alg string) []byte {
	return []byte(b64(`{"alg":"`+alg+`","kid":"`+providerKey+`","typ":"at+jwt"}`) + "." + b64(`{"sub":"a"}`))
}

// token is a token whose header names alg and whose signature is what sign makes.
func (p *provider) token(alg string, sign func(signed []byte) []byte) string {
	signed := p.signed(alg)
	return string(signed) + "." + b64(string(sign(signed)))
}

// honest is a token as the provider signs it.
func (p *provider) honest() string { return p.token(string(p.alg), p.bare) }

func (p *provider) refuses(t *testing.T, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(strings.ReplaceAll(a.name, "/", ":"), func(t *testing.T) {
			if got := new(forger).check(t, a.token, p.public); got != a.want {
				t.Errorf("refused because of %q, want %q", got, a.want)
			}
		})
	}
}
