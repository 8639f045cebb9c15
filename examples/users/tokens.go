package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
)

// issuer signs tokens with one key. It stands for the login service of the shop, at which people log in, and for the
// service that makes transaction tokens. In real life both are servers, and their keys come from a URL.
type issuer struct {
	name string
	key  ed25519.PrivateKey
	jwk  []byte
	kid  string
}

func newIssuer(name string) (*issuer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	jwk := fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, encode(public))
	thumbprint := sha256.Sum256([]byte(jwk)) // RFC 7638
	return &issuer{name: name, key: private, jwk: []byte(jwk), kid: encode(thumbprint[:])}, nil
}

// trusted is the issuer as those see it that take its word.
func (i *issuer) trusted() auth.Issuer {
	return auth.Issuer{Name: i.name, Keys: keyset.Static(fmt.Appendf(nil, `{"keys":[{"kid":"%s",%s]}`, i.kid, i.jwk[1:]))}
}

// accessToken returns the token that a user gets at login. Its audience is one service.
func (i *issuer) accessToken(user, audience, scope string) (string, error) {
	now := time.Now()
	return i.sign("at+jwt", map[string]any{
		"iss": i.name, "sub": user, "aud": audience, "scope": scope,
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": rand.Text(),
	})
}

// transactionToken returns the token that the edge gets for the user's token. Its audience is the trust domain, it
// lives for two minutes, and it contains the transaction and the workload that requested it.
func (i *issuer) transactionToken(user, requester, scope string) (string, error) {
	now := time.Now()
	return i.sign("txntoken+jwt", map[string]any{
		"iss": i.name, "sub": user, "aud": trustDomain, "scope": scope, "txn": rand.Text(),
		"req_wl": "spiffe://" + trustDomain + "/" + requester, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
	})
}

func (i *issuer) sign(typ string, claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "EdDSA", "kid": i.kid, "typ": typ})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := encode(header) + "." + encode(payload)
	return signed + "." + encode(ed25519.Sign(i.key, []byte(signed))), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
