package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/rpcerr"
)

// signature is what somebody makes of the text that is signed.
type signature func(signed []byte) []byte

// provider is an issuer that is not Parley, with a key of each kind.
type provider struct {
	testing.TB
	rsa     *rsa.PrivateKey
	p256    *ecdsa.PrivateKey
	p384    *ecdsa.PrivateKey
	edwards ed25519.PrivateKey
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{TB: t}
	var err error
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	fail(err)
	p.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	p.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	fail(err)
	_, p.edwards, err = ed25519.GenerateKey(rand.Reader)
	fail(err)
	return p
}

func (p *provider) rs256(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	out, err := rsa.SignPKCS1v15(nil, p.rsa, crypto.SHA256, digest[:])
	if err != nil {
		p.Error(err)
	}
	return out
}

func (p *provider) ps256(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	out, err := rsa.SignPSS(rand.Reader, p.rsa, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		p.Error(err)
	}
	return out
}

func (p *provider) eddsa(signed []byte) []byte { return ed25519.Sign(p.edwards, signed) }

func (p *provider) es256(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	return p.pair(p.p256, digest[:])
}

func (p *provider) es384(signed []byte) []byte {
	digest := sha512.Sum384(signed)
	return p.pair(p.p384, digest[:])
}

func (p *provider) pair(key *ecdsa.PrivateKey, digest []byte) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		p.Error(err)
	}
	half := key.Params().BitSize / 8
	out := make([]byte, 2*half)
	r.FillBytes(out[:half])
	s.FillBytes(out[half:])
	return out
}

func (p *provider) der(signed []byte) []byte {
	digest := sha512.Sum384(signed)
	out, err := ecdsa.SignASN1(rand.Reader, p.p384, digest[:])
	if err != nil {
		p.Error(err)
	}
	return out
}

// mac signs with what everybody knows of the RSA key.
func (p *provider) mac(form func(public *rsa.PublicKey) []byte) signature {
	return func(signed []byte) []byte {
		h := hmac.New(sha256.New, form(&p.rsa.PublicKey))
		h.Write(signed)
		return h.Sum(nil)
	}
}

// jwk is a key under the kid "a", with more members.
func (p *provider) jwk(kind, more string) string {
	var members string
	switch kind {
	case "RSA":
		members = `"kty":"RSA","n":"` + b64(string(p.rsa.N.Bytes())) + `","e":"AQAB"`
	case "Ed25519":
		members = `"kty":"OKP","crv":"Ed25519","x":"` + b64(string(p.edwards[32:])) + `"`
	default:
		key := map[string]*ecdsa.PrivateKey{"P-256": p.p256, "P-384": p.p384}[kind]
		point, err := key.PublicKey.Bytes()
		if err != nil {
			p.Fatal(err)
		}
		half := 1 + len(point)/2
		members = `"kty":"EC","crv":"` + kind + `","x":"` + b64(string(point[1:half])) + `","y":"` + b64(string(point[half:])) + `"`
	}
	return `{"kid":"a",` + members + more + `}`
}

// keys is a set of the key and one beside it, so that it is not empty when the key does not count.
func (p *provider) keys(t testing.TB, jwk string, opts ...keyset.Option) *keyset.Set {
	t.Helper()
	beside := jwksOf(t, newKey(t, jose.EdDSA))
	return keyset.Static([]byte(strings.Replace(beside, "[", "["+jwk+",", 1)), opts...)
}

// token is an access token for orders to call payments.
func (p *provider) token(alg string, sign signature) string {
	claims, err := json.Marshal(map[string]any{
		"iss": issuerName, "sub": "spiffe://shop.example/orders", "aud": "spiffe://shop.example/payments", "jti": "1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		p.Fatal(err)
	}
	signed := b64(`{"alg":"`+alg+`","kid":"a","typ":"at+jwt"}`) + "." + b64(string(claims))
	return signed + "." + b64(string(sign([]byte(signed))))
}

// Tokens of an issuer hold when they are signed with the one algorithm of its key, and for no other reason.
func TestAttack01To06KeysOfIssuers(t *testing.T) {
	p := newProvider(t)
	cut := func(s signature, n int) signature { return func(signed []byte) []byte { return s(signed)[:n] } }
	add := func(s signature, n int) signature {
		return func(signed []byte) []byte { return append(s(signed), make([]byte, n)...) }
	}
	always := func(numbers ...*big.Int) signature {
		return func([]byte) []byte {
			out := make([]byte, 96)
			numbers[0].FillBytes(out[:48])
			numbers[1].FillBytes(out[48:])
			return out
		}
	}
	pkix := func(public *rsa.PublicKey) []byte {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Error(err)
		}
		return der
	}
	armoured := func(public *rsa.PublicKey) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix(public)})
	}
	rs256, ps256 := p.jwk("RSA", `,"alg":"RS256"`), p.jwk("RSA", `,"alg":"PS256"`)
	bare, p384 := p.jwk("RSA", ``), p.jwk("P-384", `,"alg":"ES384"`)
	n, zero := elliptic.P384().Params().N, new(big.Int)
	only := func(names ...string) []keyset.Option { return []keyset.Option{keyset.WithAlgorithms(names...)} }
	for name, test := range map[string]struct {
		jwk  string
		opts []keyset.Option
		alg  string
		sign signature
		good bool
	}{
		"RS256":                           {rs256, nil, "RS256", p.rs256, true},
		"PS256":                           {ps256, nil, "PS256", p.ps256, true},
		"ES256":                           {p.jwk("P-256", ``), nil, "ES256", p.es256, true},
		"ES384":                           {p384, nil, "ES384", p.es384, true},
		"EdDSA":                           {p.jwk("Ed25519", ``), nil, "EdDSA", p.eddsa, true},
		"Ed25519":                         {p.jwk("Ed25519", `,"alg":"Ed25519"`), nil, "Ed25519", p.eddsa, true},
		"RSA key without alg":             {bare, nil, "RS256", p.rs256, false},
		"RSA key without alg, RS256 said": {bare, only("EdDSA", "RS256"), "RS256", p.rs256, true},
		"RSA key without alg, PS256 said": {bare, only("PS256"), "PS256", p.ps256, true},
		"04 RSA key without alg, RS256 said, PS256 token": {bare, only("RS256"), "PS256", p.ps256, false},
		"RS256 where it is not allowed":                   {rs256, only("EdDSA", "ES256"), "RS256", p.rs256, false},
		"ES384 where it is not allowed":                   {p384, only("ES256", "EdDSA"), "ES384", p.es384, false},
		"EdDSA where Ed25519 is allowed":                  {p.jwk("Ed25519", ``), only("Ed25519"), "EdDSA", p.eddsa, true},

		"01 alg none on an RSA key":       {rs256, nil, "none", p.rs256, false},
		"01 alg none without a signature": {rs256, nil, "none", func([]byte) []byte { return nil }, false},
		"02 alg HS256, signed":            {rs256, nil, "HS256", p.rs256, false},
		"02 alg RS512, signed":            {rs256, nil, "RS512", p.rs256, false},
		"02 alg ES384 on an RSA key":      {rs256, nil, "ES384", p.es384, false},
		"02 alg RS256 on a P-384 key":     {p384, nil, "RS256", p.rs256, false},
		"03 DER of the RSA key as MAC":    {rs256, nil, "HS256", p.mac(pkix), false},
		"03 PEM of the RSA key as MAC":    {rs256, nil, "HS256", p.mac(armoured), false},
		"03 PEM as MAC under RS256":       {rs256, nil, "RS256", p.mac(armoured), false},
		"04 PS256 over RS256":             {rs256, nil, "PS256", p.rs256, false},
		"04 PS256 by an RS256 key":        {rs256, nil, "PS256", p.ps256, false},
		"04 RS256 over PS256":             {rs256, nil, "RS256", p.ps256, false},
		"04 RS256 by a PS256 key":         {ps256, nil, "RS256", p.rs256, false},
		"04 PS256 over RS256 by its key":  {ps256, nil, "PS256", p.rs256, false},
		"05 RSA of 255 bytes":             {rs256, nil, "RS256", cut(p.rs256, 255), false},
		"05 RSA of 257 bytes":             {rs256, nil, "RS256", add(p.rs256, 1), false},
		"05 r = s = 0":                    {p384, nil, "ES384", always(zero, zero), false},
		"05 r = s = n":                    {p384, nil, "ES384", always(n, n), false},
		"05 DER":                          {p384, nil, "ES384", p.der, false},
		"05 95 bytes":                     {p384, nil, "ES384", cut(p.es384, 95), false},
		"05 97 bytes":                     {p384, nil, "ES384", add(p.es384, 1), false},
		"05 63 bytes":                     {p.jwk("P-256", ``), nil, "ES256", cut(p.es256, 63), false},
		"05 65 bytes":                     {p.jwk("P-256", ``), nil, "ES256", add(p.es256, 1), false},
		"06 ES256 by a P-384 key":         {p384, nil, "ES256", cut(p.es384, 64), false},
		"06 P-384 key for ES256":          {p.jwk("P-384", `,"alg":"ES256"`), nil, "ES256", cut(p.es384, 64), false},
		"06 ES384 by a P-256 key":         {p.jwk("P-256", ``), nil, "ES384", add(p.es256, 32), false},
		"56 RSA key with its secret":      {p.jwk("RSA", `,"alg":"RS256","d":"AQAB"`), nil, "RS256", p.rs256, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc := newLogin(t).bearers(p.keys(t, test.jwk, test.opts...), payments{})
				ctx := withBearer(t.Context(), p.token(test.alg, test.sign))
				code, reason := codes.OK, rpcerr.Reason("")
				if !test.good {
					code, reason = codes.Unauthenticated, rpcerr.CredentialsInvalid
				}
				refused(t, "unary", quote(ctx, cc), code, reason)
				_, err := watch(ctx, cc)
				refused(t, "stream", err, code, reason)
			})
		})
	}
}

// algorithmsUnderFIPS lets an issuer sign with everything that there is.
func algorithmsUnderFIPS(t *testing.T) {
	t.Helper()
	p := newProvider(t)
	for alg, by := range map[string]struct {
		kind string
		sign signature
	}{"RS256": {"RSA", p.rs256}, "PS256": {"RSA", p.ps256}, "ES256": {"P-256", p.es256}, "ES384": {"P-384", p.es384}, "EdDSA": {"Ed25519", p.eddsa}} {
		keys := p.keys(t, p.jwk(by.kind, `,"alg":"`+alg+`"`))
		call := func(ctx context.Context) error {
			return quote(withBearer(ctx, p.token(alg, by.sign)), newLogin(t).bearers(keys, payments{}))
		}
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}
