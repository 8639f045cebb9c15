package issuer_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// Check returns all mistakes at once, and an issuer with one answers nothing.
func TestCheckNamesEveryMistake(t *testing.T) {
	s := newShop(t)
	login := issuer.Login{Name: loginName, JWKS: jwks(t, s.login)}
	for name, test := range map[string]struct {
		id   *issuer.Issuer
		says []string
	}{
		"nothing": {issuer.New("", nil, nil, nil), []string{"no host", "no keys", "no registry"}},
		"options": {
			issuer.New("http://id.shop.example/?a=b", s.keys, s.registry, issuer.WithRate(0, 1), issuer.WithTokenLifetime(2*time.Hour),
				issuer.WithTransactionLifetime(6*time.Minute), issuer.WithTransactions("Shop")),
			[]string{
				"use https", "query", "WithRate", "WithTokenLifetime", "WithTransactionLifetime", "no trust domain",
				"no login service",
			},
		},
		"keys out of nothing": {issuer.New(issuerName, &issuer.Keys{}, s.registry), []string{"keys are none"}},
		"loopback":            {issuer.New("http://127.0.0.1:8080", s.keys, s.registry), []string{"allowed explicitly"}},
		"two login services": {
			issuer.New(issuerName, s.keys, s.registry, issuer.WithLogin(login), issuer.WithLogin(login)), []string{"twice"},
		},
		"the registry's": {issuer.New(issuerName, s.keys, issuer.NewStatic(issuer.Client{})), []string{"spiffe://"}},
		"no name, two keys": {
			withLogin(s, issuer.Login{JWKS: []byte("{}"), JWKSURL: "http://login.shop.example"}),
			[]string{"no Name", "not both", "use https"},
		},
		"types": {
			withLogin(s, issuer.Login{Name: loginName, JWKS: login.JWKS, Profile: profile.Profile{Types: []string{"wit+jwt"}}}),
			[]string{"no bearer token"},
		},
		"a proof": {
			withLogin(
				s, issuer.Login{Name: loginName, JWKS: login.JWKS, Profile: profile.Profile{Types: []string{"parley-client+jwt"}}},
			),
			[]string{"no bearer token"},
		},
		"no types": {
			withLogin(s, issuer.Login{Name: loginName, JWKS: login.JWKS, Profile: profile.Profile{Types: []string{}}}),
			[]string{"Types is empty"},
		},
		"no audiences": {
			withLogin(s, issuer.Login{Name: loginName, JWKS: login.JWKS, Audiences: []string{}}), []string{"Audiences"},
		},
		"keys that are none": {
			withLogin(s, issuer.Login{Name: loginName, JWKS: []byte(`{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}`)}),
			[]string{loginName},
		},
		"options without a URL": {
			withLogin(s, issuer.Login{
				Name: loginName, JWKS: login.JWKS, KeyOptions: []keyset.Option{keyset.WithCAFile("/ca.pem")},
			}),
			[]string{"KeyOptions are for fetching JWKSURL"},
		},
		"options that contradict each other": {
			issuer.New(issuerName, s.keys, s.registry, issuer.WithRoundTripper(http.DefaultTransport),
				issuer.WithLogin(issuer.Login{
					Name: loginName, JWKSURL: loginName + "/jwks", KeyOptions: []keyset.Option{keyset.WithProxy("http://p:1")},
				})),
			[]string{"contradict each other"},
		},
		"keys that are empty": {withLogin(s, issuer.Login{Name: loginName}), []string{"JWKS or JWKSURL"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.id.Check()
			for _, want := range test.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Check does not say %q: %v", want, err)
				}
			}
			s.id = test.id
			s.refuses(t, s.post(s.ownForm()), 503, "temporarily_unavailable")
			if got := s.ask("GET", "/jwks.json").Code; got != 503 {
				t.Errorf("key set: %d", got)
			}
			if err := test.id.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func withLogin(s *shop, l issuer.Login) *issuer.Issuer {
	return issuer.New(issuerName, s.keys, s.registry, issuer.WithLogin(l))
}

func TestIssuerPrintsItself(t *testing.T) {
	id := issuer.New(issuerName, nil, nil, issuer.WithLogin(issuer.Login{
		Name: loginName,
	}), issuer.WithTransactions("shop.example"),
		issuer.WithRate(1, 2), issuer.WithTokenLifetime(time.Minute), issuer.WithTransactionLifetime(time.Second),
		issuer.WithLogger(nil), issuer.WithLoopbackHTTP(), issuer.WithRoundTripper(nil))
	const want = `issuer.New("https://id.shop.example", issuer.WithLogin("https://login.shop.example"), issuer.WithTransactions("shop.example"), ` +
		`issuer.WithRate(1, 2), issuer.WithTokenLifetime(1m0s), issuer.WithTransactionLifetime(1s), issuer.WithLogger, ` +
		`issuer.WithLoopbackHTTP(), issuer.WithRoundTripper)`
	if id.String() != want {
		t.Errorf("got  %s\nwant %s", id, want)
	}
}

// A registration that cannot be meant is refused as a whole, and each mistake is named.
func TestRegistrationsThatAreRefused(t *testing.T) {
	s := newShop(t)
	secret, err := s.edge.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(c *issuer.Client)
		says   string
	}{
		"no ID":                      {func(c *issuer.Client) { c.ID = "" }, "spiffe://<trust domain>/<service>"},
		"an ID that is none":         {func(c *issuer.Client) { c.ID = "edge" }, "spiffe://"},
		"a trust domain alone":       {func(c *issuer.Client) { c.ID = "spiffe://shop.example" }, "spiffe://"},
		"an ID that ends in a slash": {func(c *issuer.Client) { c.ID = edge + "/" }, "spiffe://"},
		"an ID with a wildcard":      {func(c *issuer.Client) { c.ID = "spiffe://shop.example/*" }, "spiffe://"},
		"an ID that goes up":         {func(c *issuer.Client) { c.ID = "spiffe://shop.example/../edge" }, "spiffe://"},
		"an ID with a quote":         {func(c *issuer.Client) { c.ID = edge + `"` }, "spiffe://"},
		"an ID with a line behind":   {func(c *issuer.Client) { c.ID = edge + "\n" }, "spiffe://"},
		"a domain in upper case":     {func(c *issuer.Client) { c.ID = "spiffe://Shop.example/edge" }, "spiffe://"},
		"an ID that is too long":     {func(c *issuer.Client) { c.ID = edge + strings.Repeat("e", 2048) }, "spiffe://"},
		"no keys":                    {func(c *issuer.Client) { c.JWKS = nil }, "JWKS"},
		"an empty key set":           {func(c *issuer.Client) { c.JWKS = []byte(`{"keys":[]}`) }, "no key"},
		"a private key": {
			func(c *issuer.Client) { c.JWKS = []byte(`{"keys":[` + string(secret) + `]}`) }, "secret material",
		},
		"a shared secret": {
			func(c *issuer.Client) { c.JWKS = []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`) }, "key 1",
		},
		"scopes for nobody": {func(c *issuer.Client) { c.Own = issuer.Grant{Scopes: []string{"a"}} }, "no audience"},
		"an audience for all": {
			func(c *issuer.Client) { c.Users.Audiences = []string{"spiffe://shop.example/*"} }, "wildcard",
		},
		"an empty audience":         {func(c *issuer.Client) { c.Own.Audiences = []string{""} }, "audience"},
		"an empty scope":            {func(c *issuer.Client) { c.Own.Scopes = []string{""} }, "no scope"},
		"two scopes in one":         {func(c *issuer.Client) { c.Users.Scopes = []string{"a b"} }, "no scope"},
		"a claim of another kind":   {func(c *issuer.Client) { c.Claims = map[string]any{"a": 1.5} }, "string, bool, int"},
		"a built-in claim":          {func(c *issuer.Client) { c.Claims = map[string]any{"Sub": "a"} }, "issuer's own"},
		"two claims in other cases": {func(c *issuer.Client) { c.Claims = map[string]any{"env": "a", "Env": "b"} }, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.edgeClient()
			test.change(&c)
			if err := issuer.NewStatic(c).Check(); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("want %q: %v", test.says, err)
			}
		})
	}
	t.Run("a service twice", func(t *testing.T) {
		if err := issuer.NewStatic(s.edgeClient(), s.edgeClient()).Check(); err == nil ||
			!strings.Contains(err.Error(), "twice") {
			t.Error(err)
		}
	})
	t.Run("a key of two services", func(t *testing.T) {
		c := s.ordersClient()
		c.JWKS = jwks(t, s.orders, s.edge)
		if err := issuer.NewStatic(s.edgeClient(), c).Check(); err == nil || !strings.Contains(err.Error(), "same key") {
			t.Error(err)
		}
	})
}
