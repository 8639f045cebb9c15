package providers_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
	"golang.org/x/crypto/bcrypt"
)

const (
	batchClient = "shop-batch" // a workload
	batchSecret = "a-secret-of-the-test"
	audience    = "payments"
	scope       = "payments.charge"
)

// hydra is a provider made with Ory's fosite, as Hydra is. It has Hydra's endpoints and claims, and takes everyone for
// alice.
type hydra struct {
	fosite.OAuth2Provider

	name string
}

// startHydra runs the provider, and returns its name.
func startHydra(t *testing.T) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := &jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: "RS256", Use: "sig"}
	listener, name := listen(t)
	h := &hydra{newFosite(t, name, key), name}
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth2/auth", h.authorize)
	mux.HandleFunc("/oauth2/token", h.token)
	answer := func(path string, document any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(document) })
	}
	answer("/.well-known/jwks.json", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	answer("/.well-known/openid-configuration", map[string]any{
		"issuer": name, "authorization_endpoint": name + "/oauth2/auth", "token_endpoint": name + "/oauth2/token",
		"jwks_uri": name + "/.well-known/jwks.json", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
	serve(t, listener, mux)
	return name
}

func newFosite(t *testing.T, name string, key *jose.JSONWebKey) fosite.OAuth2Provider {
	t.Helper()
	secret, err := bcrypt.GenerateFromPassword([]byte(batchSecret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	store := storage.NewMemoryStore()
	store.Clients[webClient] = &fosite.DefaultClient{
		ID: webClient, Public: true, RedirectURIs: []string{"http://127.0.0.1" + redirect}, ResponseTypes: []string{"code"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{scope}, Audience: []string{audience},
	}
	store.Clients[batchClient] = &fosite.DefaultClient{
		ID: batchClient, Secret: secret, GrantTypes: []string{"client_credentials"},
		Scopes: []string{scope}, Audience: []string{audience},
	}
	config := &fosite.Config{
		AccessTokenLifespan: time.Hour, GlobalSecret: []byte(rand.Text() + rand.Text()), AccessTokenIssuer: name,
		EnforcePKCE: true, JWTScopeClaimKey: jwt.JWTScopeFieldList, ScopeStrategy: fosite.ExactScopeStrategy,
		AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
	}
	keyOf := func(context.Context) (any, error) { return key, nil }
	strategy := &compose.CommonStrategy{
		CoreStrategy: compose.NewOAuth2JWTStrategy(keyOf, compose.NewOAuth2HMACStrategy(config), config),
		Signer:       &jwt.DefaultSigner{GetPrivateKey: keyOf},
	}
	return compose.Compose(config, store, strategy,
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2PKCEFactory)
}

// session is what the tokens of a login say.
func (h *hydra) session(subject, client string) *oauth2.JWTSession {
	return &oauth2.JWTSession{
		Subject: subject, JWTHeader: &jwt.Headers{},
		JWTClaims: &jwt.JWTClaims{
			Subject: subject, Issuer: h.name, NotBefore: time.Now(),
			Extra: map[string]any{"client_id": client, "ext": map[string]any{}},
		},
	}
}

func grant(request fosite.Requester) {
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	for _, audience := range request.GetRequestedAudience() {
		request.GrantAudience(audience)
	}
}

// authorize logs alice in without asking.
func (h *hydra) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := h.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		h.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	grant(request)
	response, err := h.NewAuthorizeResponse(r.Context(), request, h.session("alice", request.GetClient().GetID()))
	if err != nil {
		h.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	h.WriteAuthorizeResponse(r.Context(), w, request, response)
}

func (h *hydra) token(w http.ResponseWriter, r *http.Request) {
	session := h.session("", "")
	request, err := h.NewAccessRequest(r.Context(), r, session)
	if err != nil {
		h.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if client := request.GetClient().GetID(); request.GetGrantTypes().ExactOne("client_credentials") {
		session.JWTClaims.Subject, session.JWTClaims.Extra["client_id"] = client, client
		grant(request)
	}
	response, err := h.NewAccessResponse(r.Context(), request)
	if err != nil {
		h.WriteAccessError(r.Context(), w, request, err)
		return
	}
	h.WriteAccessResponse(r.Context(), w, request, response)
}
