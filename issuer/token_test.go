package issuer_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
)

// same compares a token with what it should say, but for what is different each time.
func same(t *testing.T, got, want claims) {
	t.Helper()
	want = want.with(nil)
	for _, name := range []string{"jti", "txn"} {
		if id, ok := got[name].(string); ok && len(id) >= 20 {
			want[name] = id
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A service gets an access token in its own name (RFC 9068), with its further claims.
func TestClientCredentials(t *testing.T) {
	base := func() claims {
		return claims{
			"iss": issuerName, "sub": edge, "client_id": edge, "aud": payments, "iat": in(0), "exp": in(10 * time.Minute),
			"scope": "orders.read payments.read", "env": "prod", "tier": int64(2), "batch": false,
			"teams": []string{"shop", "\"web\""},
		}
	}
	for name, test := range map[string]struct {
		form url.Values
		want claims
	}{
		"all scopes":                {nil, nil},
		"one scope":                 {url.Values{"scope": {"payments.read"}}, claims{"scope": "payments.read"}},
		"the audience as audience":  {url.Values{"resource": nil, "audience": {orders}}, claims{"aud": orders}},
		"the audience as both":      {url.Values{"resource": {orders}, "audience": {orders}}, claims{"aud": orders}},
		"the client named":          {url.Values{"client_id": {edge}}, nil},
		"empty is as good as none":  {url.Values{"scope": {""}, "audience": {""}}, nil},
		"what nobody knows":         {url.Values{"favourite_colour": {"blue"}, "claims": {`{"admin":true}`}}, nil},
		"a user's token has no use": {url.Values{"subject_token": {"x"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				r := s.post(change(s.ownForm(), test.form))
				want := base().with(test.want)
				same(t, s.token(t, r, "at+jwt"), want)
				if r.text("token_type") != "Bearer" || r.members["expires_in"] != 600.0 || r.text("scope") != want["scope"] ||
					len(r.members) != 4 {
					t.Errorf("answer %v", r.members)
				}
				if r.header.Get("Cache-Control") != "no-store" {
					t.Errorf("header %v", r.header)
				}
			})
		})
	}
}

// Any key of a service logs it in, whether or not the registration names it.
func TestKeysOfAClient(t *testing.T) {
	s := newShop(t)
	second := newKey(t)
	client := s.edgeClient()
	client.JWKS = []byte(strings.ReplaceAll(string(jwks(t, s.edge, second)), `"kid":"`+second.Public().KeyID()+`",`, ""))
	s.registry = issuer.NewStatic(client)
	s.open()
	if err := s.id.Check(); err != nil || strings.Contains(string(client.JWKS), second.Public().KeyID()) {
		t.Fatal(err)
	}
	for _, key := range []*jose.PrivateKey{s.edge, second} {
		s.token(t, s.post(s.formWith(sign(t, key, assertionType, honest(edge)))), "at+jwt")
	}
}

// A service gets a token in the name of the user whose token it has.
func TestTokenExchange(t *testing.T) {
	for name, test := range map[string]struct {
		user claims
		form url.Values
		typ  string
		want func() claims
	}{
		"a transaction": {nil, nil, "txntoken+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": "shop.example", "req_wl": edge, "scope": "orders.place payments.charge",
				"iat": in(0), "exp": in(2 * time.Minute),
			}
		}},
		"a transaction for less": {nil, url.Values{"scope": {"orders.place"}}, "txntoken+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": "shop.example", "req_wl": edge, "scope": "orders.place",
				"iat": in(0), "exp": in(2 * time.Minute),
			}
		}},
		"the scopes that user and client both have": {claims{
			"scope": "browse orders.place",
		}, nil, "txntoken+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": "shop.example", "req_wl": edge, "scope": "orders.place",
				"iat": in(0), "exp": in(2 * time.Minute),
			}
		}},
		"an access token": {nil, url.Values{
			"audience": {payments}, "requested_token_type": {accessToken},
		}, "at+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": payments, "client_id": edge, "scope": "orders.place payments.charge",
				"iat": in(0), "exp": in(10 * time.Minute),
			}
		}},
		"an access token, by default": {nil, url.Values{
			"audience": {payments}, "requested_token_type": nil,
		}, "at+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": payments, "client_id": edge, "scope": "orders.place payments.charge",
				"iat": in(0), "exp": in(10 * time.Minute),
			}
		}},
		"an access token without scopes": {claims{"scope": nil}, url.Values{
			"audience": {payments}, "requested_token_type": nil,
		}, "at+jwt", func() claims {
			return claims{
				"iss": issuerName, "sub": "alice", "aud": payments, "client_id": edge, "iat": in(0), "exp": in(10 * time.Minute),
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				r := s.post(change(s.userForm(sign(t, s.login, "at+jwt", alice().with(test.user))), test.form))
				same(t, s.token(t, r, test.typ), test.want())
				kind, issued := "Bearer", accessToken
				if test.typ == "txntoken+jwt" {
					kind, issued = "N_A", txnToken
				}
				if r.text("token_type") != kind || r.text("issued_token_type") != issued {
					t.Errorf("answer %v", r.members)
				}
			})
		})
	}
}

// No token outlives what it was made from.
func TestExchangedTokenEndsWithTheUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		form := s.userForm(sign(t, s.login, "at+jwt", alice().with(claims{"exp": in(90 * time.Second)})))
		time.Sleep(30 * time.Second)
		r := s.post(form)
		if got := s.token(t, r, "txntoken+jwt"); got["exp"] != in(time.Minute) || r.members["expires_in"] != 60.0 {
			t.Errorf("%v, %v", got, r.members)
		}
	})
}

func TestLifetimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, issuer.WithTokenLifetime(time.Hour), issuer.WithTransactionLifetime(5*time.Minute))
		if got := s.token(t, s.post(s.ownForm()), "at+jwt"); got["exp"] != in(time.Hour) {
			t.Error(got)
		}
		if got := s.token(t, s.post(s.aliceForm()), "txntoken+jwt"); got["exp"] != in(5*time.Minute) {
			t.Error(got)
		}
	})
}

// What is wrong with a request is said, as far as it is no secret.
func TestRequestsThatAreRefused(t *testing.T) {
	twice := func(f url.Values, name string) string { return f.Encode() + "&" + name + "=x" }
	for name, test := range map[string]struct {
		body   func(s *shop) string
		alter  func(*http.Request)
		status int
		code   string
	}{
		"no grant_type": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"grant_type": nil}).Encode() }, nil, 400,
			"invalid_request",
		},
		"another grant": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"grant_type": {"password"}}).Encode() }, nil, 400,
			"unsupported_grant_type",
		},
		"refresh": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"grant_type": {"refresh_token"}}).Encode() }, nil, 400,
			"unsupported_grant_type",
		},
		"a parameter twice": {
			func(s *shop) string { return twice(s.ownForm(), "resource") }, nil, 400, "invalid_request",
		},
		"an unknown parameter twice": {
			func(s *shop) string { return s.ownForm().Encode() + "&x=1&x=2" }, nil, 400, "invalid_request",
		},
		"no audience": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"resource": nil}).Encode() }, nil, 400,
			"invalid_target",
		},
		"two audiences": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"audience": {orders}}).Encode() }, nil, 400,
			"invalid_target",
		},
		"an audience not granted": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"resource": {edge}}).Encode() }, nil, 400,
			"invalid_target",
		},
		"almost an audience": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"resource": {payments + "/"}}).Encode() }, nil, 400,
			"invalid_target",
		},
		"the trust domain": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"resource": {"shop.example"}}).Encode() }, nil, 400,
			"invalid_target",
		},
		"a scope not granted": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"scope": {"payments.charge"}}).Encode() }, nil, 400,
			"invalid_scope",
		},
		"one scope too many": {func(s *shop) string {
			return change(s.ownForm(), url.Values{"scope": {"payments.read admin"}}).Encode()
		}, nil, 400, "invalid_scope"},
		"two spaces": {func(s *shop) string {
			return change(s.ownForm(), url.Values{"scope": {"orders.read  payments.read"}}).Encode()
		}, nil, 400, "invalid_scope"},
		"a scope with a quote": {
			func(s *shop) string { return change(s.ownForm(), url.Values{"scope": {`x":0,"admin`}}).Encode() }, nil, 400,
			"invalid_scope",
		},
		"no form": {func(*shop) string { return "%zz" }, nil, 400, "invalid_request"},
		"NUL": {
			func(s *shop) string { return s.ownForm().Encode() + "&x=%00" }, nil, 400, "invalid_request",
		},
		"no UTF-8": {
			func(s *shop) string { return s.ownForm().Encode() + "&x=%ff" }, nil, 400, "invalid_request",
		},
		"semicolons": {func(s *shop) string { return s.ownForm().Encode() + ";x=1" }, nil, 400, "invalid_request"},
		"nothing":    {func(*shop) string { return "" }, nil, 400, "invalid_client"},
		"too large 53": {
			func(s *shop) string { return s.ownForm().Encode() + "&x=" + strings.Repeat("x", 40<<10) }, nil, 413,
			"invalid_request",
		},
		"JSON": {
			func(*shop) string { return "{}" }, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400,
			"invalid_request",
		},
		"no Content-Type": {
			func(s *shop) string { return s.ownForm().Encode() }, func(r *http.Request) { r.Header.Del("Content-Type") }, 400,
			"invalid_request",
		},
		"a secret in the URL": {
			func(s *shop) string { return s.ownForm().Encode() },
			func(r *http.Request) { r.URL.RawQuery = "client_assertion=x" }, 400, "invalid_request",
		},
		"a password besides": {
			func(s *shop) string { return s.ownForm().Encode() }, func(r *http.Request) { r.SetBasicAuth("a", "b") }, 400,
			"invalid_request",
		},
		"a client without users": {func(s *shop) string {
			return change(
				s.userForm("x"), url.Values{"client_assertion": {sign(s.t, s.orders, assertionType, honest(orders))}},
			).Encode()
		}, nil, 400, "unauthorized_client"},
		"a charset is no matter": {func(s *shop) string { return change(s.ownForm(), url.Values{"grant_type": {"x"}}).Encode() }, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		}, 400, "unsupported_grant_type"},
		"breaks off": {
			func(*shop) string { return "" }, func(r *http.Request) { r.Body = brokenBody{} }, 400, "invalid_request",
		},
		"no transaction without scope": {func(s *shop) string {
			return s.userForm(sign(s.t, s.login, "at+jwt", alice().with(claims{"scope": "browse"}))).Encode()
		}, nil, 400, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.refuses(t, s.send(strings.NewReader(test.body(s)), test.alter), test.status, test.code)
		})
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("reset") }
func (brokenBody) Close() error             { return nil }

// Only what is there is served, and only by its methods.
func TestPaths(t *testing.T) {
	for name, test := range map[string]struct {
		issuer, method, path string
		status               int
	}{
		"key set":                   {issuerName, "GET", "/jwks.json", 200},
		"key set, head":             {issuerName, "HEAD", "/jwks.json", 200},
		"key set, post":             {issuerName, "POST", "/jwks.json", 405},
		"token, get":                {issuerName, "GET", "/token", 405},
		"token, put":                {issuerName, "PUT", "/token", 405},
		"token and a slash":         {issuerName, "POST", "/token/", 404},
		"root":                      {issuerName, "GET", "/", 404},
		"up and down":               {issuerName, "GET", "/x/../jwks.json", 404},
		"OAuth metadata":            {issuerName, "GET", "/.well-known/oauth-authorization-server", 200},
		"OpenID metadata":           {issuerName, "GET", "/.well-known/openid-configuration", 200},
		"with a path, key set":      {issuerName + "/a", "GET", "/a/jwks.json", 200},
		"with a path, not the root": {issuerName + "/a", "GET", "/jwks.json", 404},
		"with a path, OAuth":        {issuerName + "/a", "GET", "/.well-known/oauth-authorization-server/a", 200},
		"with a path, OpenID":       {issuerName + "/a", "GET", "/a/.well-known/openid-configuration", 200},
		"with a slash, key set":     {issuerName + "/", "GET", "/jwks.json", 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.id = issuer.New(test.issuer, s.keys, s.registry)
			if w := s.ask(test.method, test.path); w.Code != test.status || test.status == 405 && w.Header().Get("Allow") == "" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		})
	}
}

// The metadata states the name byte for byte, and where everything is.
func TestMetadata(t *testing.T) {
	for name, base := range map[string]string{
		issuerName: issuerName, issuerName + "/": issuerName, issuerName + "/a/": issuerName + "/a",
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.id = issuer.New(name, s.keys, s.registry)
			path := "/.well-known/openid-configuration"
			if strings.HasSuffix(base, "/a") {
				path = "/a" + path
			}
			got := decode(t, s.document(t, path))
			want := claims{
				"issuer": name, "token_endpoint": base + "/token", "jwks_uri": base + "/jwks.json",
				"response_types_supported": []any{}, "grant_types_supported": []any{"client_credentials"},
				"token_endpoint_auth_methods_supported":            []any{"private_key_jwt"},
				"token_endpoint_auth_signing_alg_values_supported": []any{"EdDSA", "ES256"},
			}
			if !maps.EqualFunc(got, want, func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}
