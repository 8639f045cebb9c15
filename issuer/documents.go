package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// metadata describes the issuer to its clients (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3).
type metadata struct {
	Issuer              string   `json:"issuer"`
	TokenEndpoint       string   `json:"token_endpoint"`
	KeySet              string   `json:"jwks_uri"`
	ResponseTypes       []string `json:"response_types_supported"` // none: there is no login with a browser
	Grants              []string `json:"grant_types_supported"`
	AuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
}

// routes returns the handlers by path. If the name has a path, RFC 8414 section 3.1 puts it after the well-known part,
// and OpenID Connect before it.
func (is *Issuer) routes() map[string]http.HandlerFunc {
	base := strings.TrimSuffix(is.name, "/")
	name, _ := url.Parse(base) // check has parsed it before
	grants := []string{clientCredentials}
	if is.users != nil || is.identities != nil && len(is.identities.authorities) > 0 {
		grants = append(grants, tokenExchange)
	}
	about, _ := json.Marshal(metadata{ // it never fails, because all fields are strings
		Issuer: is.name, TokenEndpoint: base + "/token", KeySet: base + "/jwks.json", ResponseTypes: []string{},
		Grants:      grants,
		AuthMethods: []string{"private_key_jwt"}, AssertionAlgorithms: []string{"EdDSA", "ES256"},
	})
	metadata := readable(func(context.Context) (string, []byte) { return "application/json", about })
	routes := map[string]http.HandlerFunc{
		name.Path + "/token": only(is.serveToken, http.MethodPost),
		name.Path + "/jwks.json": readable(
			func(ctx context.Context) (string, []byte) {
				is.config.state.catchUp(ctx)
				return "application/jwk-set+json", is.keys.jwks()
			},
		),
		name.Path + "/.well-known/openid-configuration":       metadata,
		"/.well-known/oauth-authorization-server" + name.Path: metadata,
	}
	if len(is.signedSets) > 0 {
		routes[name.Path+"/jwks.jwt"] = only(is.serveSignedKeys, http.MethodGet, http.MethodHead)
	}
	return routes
}

// serveSignedKeys serves the key set that the root has signed for now.
func (is *Issuer) serveSignedKeys(w http.ResponseWriter, r *http.Request) {
	text, err := signedNow(is.signedSets, time.Now())
	if err != nil {
		is.refuse(w, r, caller{}, unavailable(err))
		return
	}
	readable(func(context.Context) (string, []byte) { return "application/jwt", []byte(text) })(w, r)
}

// readable serves a document that may be cached for keysMaxAge.
func readable(document func(context.Context) (media string, text []byte)) http.HandlerFunc {
	return only(func(w http.ResponseWriter, r *http.Request) {
		media, text := document(r.Context())
		w.Header().Set("Content-Type", media)
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", keysMaxAge/time.Second))
		_, _ = w.Write(text) // an error means that the client is gone
	}, http.MethodGet, http.MethodHead)
}

// only answers requests with other methods with 405.
func only(serve http.HandlerFunc, methods ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			serve(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}
