package providers_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/profile"
)

const (
	issuerName = "https://id.shop.example"
	edge       = "spiffe://shop.example/edge"
	payments   = "spiffe://shop.example/payments"
)

// loginDoor takes the token of a user from edge, for a token that payments believes. The login is what the product's
// file says of its users.
func loginDoor(t *testing.T, p *product) door {
	t.Helper()
	own, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	public, err := own.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := issuer.New(issuerName, issuer.NewKeys(signer), issuer.NewStatic(issuer.Client{
		ID: edge, JWKS: fmt.Appendf(nil, `{"keys":[%s]}`, public),
		Users: issuer.Grant{Audiences: []string{payments}, Scopes: p.Expect.Scopes},
	}), issuer.WithLogin(login(t, p)), issuer.WithRoundTripper(p), issuer.WithRate(1000, 1000))
	t.Cleanup(func() { _ = id.Close() })
	if err := id.Check(); err != nil {
		t.Fatal(err)
	}
	return door{exchangeDoor, "user", func(token string) (seen, error) {
		answer, err := exchange(t, id, own, token)
		if err != nil {
			return seen{}, err
		}
		claims, err := jose.Unproven(answer)
		if err != nil {
			return seen{}, err
		}
		subject, _ := claims.String("sub")
		scope, _ := claims.String("scope")
		return seen{subject, strings.Fields(scope)}, nil
	}}
}

// login is what a program states that the file of the product states of its users.
func login(t *testing.T, p *product) issuer.Login {
	t.Helper()
	stated := p.config(t).GetUsers().GetIssuers()[0]
	look := profile.Of(profile.Provider(stated.GetProvider()))
	for claim, value := range stated.GetRequiredValues() {
		if look.RequiredValues == nil {
			look.RequiredValues = map[string]string{}
		}
		look.RequiredValues[claim] = value
	}
	if stated.GetAlgorithms() != nil {
		look.Algorithms = stated.GetAlgorithms()
	}
	keys, _ := p.Discovery["jwks_uri"].(string)
	return issuer.Login{Name: stated.GetIssuer(), JWKSURL: keys, Audiences: stated.GetAudiences(), Profile: look}
}

// config is the configuration of the product.
func (p *product) config(t *testing.T) *configv1.Config {
	t.Helper()
	file := p.name + ".yaml"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config := new(configv1.Config)
	if _, err := protoyaml.Unmarshal(file, content, config); err != nil {
		t.Fatal(err)
	}
	return config
}

// exchange asks for a token in the name of the user (RFC 8693).
func exchange(t *testing.T, id *issuer.Issuer, own *jose.PrivateKey, user string) (string, error) {
	t.Helper()
	now := time.Now()
	assertion, err := own.Sign("client-authentication+jwt", []byte(text(t, map[string]any{
		"iss": edge, "sub": edge, "aud": issuerName, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"audience":           {payments},
		"subject_token":      {user},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"client_assertion_type": {
			"urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		},
		"client_assertion": {assertion},
	}
	request := httptest.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		issuerName+"/token",
		strings.NewReader(form.Encode()),
	)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	id.ServeHTTP(w, request)
	var answer struct {
		Error       string
		Description string `json:"error_description"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return "", fmt.Errorf("%d %q: %w", w.Code, w.Body, err)
	}
	err = fmt.Errorf("%d %s: %s", w.Code, answer.Error, answer.Description)
	switch {
	case w.Code == http.StatusOK:
		return answer.AccessToken, nil
	case w.Code == http.StatusBadRequest && answer.Error == "invalid_request":
		return "", errors.Join(errRefused, err)
	}
	return "", err
}
