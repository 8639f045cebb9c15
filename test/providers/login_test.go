package providers_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/profile"
)

// A person logs in with a browser at a ZITADEL. Payments takes the access token, and what the issuer of the shop makes
// of it, and not the ID token.
func TestBrowserLoginAtZitadel(t *testing.T) {
	t.Parallel()
	provider := startZitadel(t)
	app := newApplication(t, provider)
	page := openBrowser(t, app.loginURL(url.Values{"scope": {"openid profile"}, "nonce": {"once"}}))
	page.fill("#username", "test-user2")
	page.fill("#password", "verysecure")
	page.click("button[type=submit]")
	got := app.redeem()
	s := newShop(t, issuer.Login{
		Name: provider, JWKSURL: provider + "/keys", Audiences: []string{webClient}, Profile: profile.Of(profile.Zitadel),
	})
	s.open(fmt.Sprintf(`
users:
  issuers:
  - {issuer: %q, provider: zitadel, audiences: [%s], keys: {loopback_http: true}}
  - {issuer: %q, keys_file: ISSUER}
`, provider, webClient, issuerName))
	for name, token := range map[string]string{
		"at the provider": got.AccessToken, "at the issuer": s.exchange(got.AccessToken),
	} {
		if user, err := s.chargeFor(token); err != nil || user.Subject != "id2" {
			t.Errorf("logged in %s: payments saw %q, %v", name, user.Subject, err)
		}
	}
	if _, err := s.chargeFor(got.IDToken); status.Code(err) != codes.Unauthenticated {
		t.Errorf("an ID token in place of the access token: %v", err)
	}
}

// A user and a workload of a provider that is made with Ory's fosite.
func TestHydra(t *testing.T) {
	t.Parallel()
	provider := startHydra(t)
	app := newApplication(t, provider)
	response := get(t, app.loginURL(url.Values{"scope": {scope}, "audience": {audience}}))
	_ = response.Body.Close() // it has been at the application again
	user := app.redeem().AccessToken
	workload := app.ask(url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "audience": {audience},
	}, url.UserPassword(batchClient, batchSecret)).AccessToken
	s := newShop(t, issuer.Login{
		Name: provider, JWKSURL: provider + "/.well-known/jwks.json", Audiences: []string{audience},
		Profile: profile.Of(profile.Hydra),
	})
	s.open(fmt.Sprintf(`
servers:
  payments:
    issuers:
    - issuer: %[1]q
      provider: hydra
      audiences: [payments]
      keys: {loopback_http: true}
      principals: {claim: client_id, ids: {%[2]s: orders}, same: [sub, client_id]}
      shared: true
users:
  issuers:
  - {issuer: %[1]q, provider: hydra, audiences: [payments], keys: {loopback_http: true}}
  - {issuer: %[3]q, keys_file: ISSUER}
`, provider, batchClient, issuerName))
	for name, token := range map[string]string{"at the provider": user, "at the issuer": s.exchange(user)} {
		if seen, err := s.chargeFor(token); err != nil || seen.Subject != "alice" ||
			!slices.Equal(seen.Scopes, []string{scope}) {
			t.Errorf("logged in %s: payments saw %q with %q, %v", name, seen.Subject, seen.Scopes, err)
		}
	}
	if peer, err := s.chargeWith(workload); err != nil || peer.ID.String() != ordersID {
		t.Errorf("the workload: payments saw %s, %v", peer.ID, err)
	}
	if _, err := s.chargeWith(user); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a user's token in place of a workload's: %v", err)
	}
}
