package providers_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// product signs the tokens of a fixture with keys of its own, and publishes the keys as the product does.
type product struct {
	fixture
	name      string
	keys      map[any]*key      // by kid; nil for those without
	stranger  *key              // a key of the same kind that is not published
	published map[string]string // documents by address
}

func newProduct(t *testing.T, name string, ring keyring) *product {
	t.Helper()
	p := &product{fixture: readFixture(t, name), name: name, keys: map[any]*key{}, published: map[string]string{}}
	var published []map[string]any
	rsaKeys := 0
	for _, jwk := range p.Keys {
		kid := jwk["kid"]
		if p.keys[kid] == nil {
			p.keys[kid] = ring.key(t, jwk, rsaKeys)
		}
		if jwk["kty"] == "RSA" {
			rsaKeys++
		}
		published = append(published, fill(t, jwk, p.keys[kid]))
		if kid == p.Tokens["workload"].Header["kid"] {
			p.stranger = ring.key(t, jwk, strangerPlace)
		}
	}
	set := map[string]any{"keys": published}
	maps.Copy(set, p.Set)
	address := p.Bundle
	if p.Discovery != nil {
		address, _ = p.Discovery["jwks_uri"].(string)
		p.published[strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration"] = text(t, p.Discovery)
	}
	p.published[address] = text(t, set)
	return p
}

// RoundTrip answers for every server of the product.
func (p *product) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}
	document, ok := p.published[r.URL.String()]
	if !ok {
		answer.StatusCode = http.StatusNotFound
	}
	answer.Body = io.NopCloser(strings.NewReader(document))
	return answer, nil
}

// forge returns a token in the making, as the product would sign it now.
func (p *product) forge(t *testing.T, s shape) *forge {
	t.Helper()
	key := p.keys[s.Header["kid"]]
	header := maps.Clone(s.Header)
	if header["x5t"] == "" {
		header["x5t"] = member(t, "x5t", key)
	}
	claims, _ := timed(s.Claims, time.Now()).(map[string]any)
	return &forge{t: t, product: p, key: key, header: header, claims: claims}
}
