package issuer_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
)

// jwtText is the beginning of a token. A thumbprint may have its first letters, too, but no dot behind them.
var jwtText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.`)

// Row 68: a claim whose name would end its own quotes is refused when it is registered, and where a registry has it all
// the same the issuer answers with 400 and makes no token.
func TestAttack68ClaimNames(t *testing.T) {
	for _, name := range []string{
		`x":0,"admin`, `"`, `\`, "", " ", "a b", "a\n", "a\x00", "é", "a,b", "{", strings.Repeat("n", 65),
		"sub", "SUB", "aud", "Scope", "client_id", "exp", "iat", "jti", "cnf", "act", "txn", "req_wl",
	} {
		s := newShop(t)
		evil := s.edgeClient()
		evil.Claims = map[string]any{name: true}
		if err := evil.Check(); err == nil {
			t.Errorf("claim %q may be registered", name)
		}
		if err := issuer.NewStatic(evil).Check(); err == nil {
			t.Errorf("claim %q may stand in a static registry", name)
		}
		s.registry = registryOf(func(context.Context, string) (issuer.Client, error) { return evil, nil })
		s.open()
		s.refuses(t, s.post(s.ownForm()), http.StatusBadRequest, "unauthorized_client")
	}
}

// Row 68: a value stays a value, whatever it holds, and another parser sees the same members.
func TestAttack68ClaimValues(t *testing.T) {
	const evil = `",</script>\"admin":true,"x":"` + "\n\u2028é"
	s := newShop(t)
	client := s.edgeClient()
	client.Claims = map[string]any{"note": evil, "notes": []string{evil, "}"}}
	s.registry = issuer.NewStatic(client)
	s.open()
	r := s.post(s.ownForm())
	s.token(t, r, "at+jwt")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(r.text("access_token"), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	got := claims{}
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	if list, _ := got["notes"].([]any); got["note"] != evil || len(list) != 2 || list[0] != evil || got["admin"] != nil ||
		len(got) != 10 {
		t.Errorf("%s", payload)
	}
	for name, value := range map[string]any{
		"NUL": "a\x00", "no UTF-8": "\xff", "54 bits": 1 << 53, "a float": 1.5, "nothing": nil, "an object": map[string]any{},
	} {
		client.Claims = map[string]any{"note": value}
		if err := client.Check(); err == nil {
			t.Errorf("%s may be registered", name)
		}
	}
}

// Row 68: what a user's token says reaches the token that it is exchanged for only as a value.
func TestAttack68UsersValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		const evil = `alice","admin":true,"x":"`
		r := s.post(s.userForm(
			sign(t, s.login, "at+jwt", alice().with(claims{"sub": evil, "admin": true, "tctx": claims{"mfa": true}})),
		))
		same(t, s.token(t, r, "txntoken+jwt"), claims{
			"iss": issuerName, "sub": evil, "aud": "shop.example", "req_wl": edge, "scope": "orders.place payments.charge",
			"iat": in(0), "exp": in(2 * time.Minute),
		})
	})
}

// Row 71: an assertion is good for this issuer alone, once, for a minute, by a key of the client that makes it. All
// others get the same answer.
func TestAttack71Assertions(t *testing.T) {
	by := func(key func(s *shop) *jose.PrivateKey, typ string, change func() claims) func(s *shop) string {
		return func(s *shop) string { return sign(s.t, key(s), typ, honest(edge).with(change())) }
	}
	says := func(change func() claims) func(s *shop) string {
		return by(func(s *shop) *jose.PrivateKey { return s.edge }, assertionType, change)
	}
	headed := func(more string, change func() claims) func(s *shop) string {
		return func(s *shop) string { return signHeaded(s.t, s.edge, more, honest(edge).with(change())) }
	}
	untyped := func(change func() claims) func(s *shop) string { return headed("", change) }
	for name, test := range map[string]struct {
		assertion func(s *shop) string
		good      bool
	}{
		"honest":                {says(is(nil)), true},
		"71 for another issuer": {says(is(claims{"aud": "https://id.evil.example"})), false},
		"71 for a list": {
			says(is(claims{"aud": []string{issuerName, "https://id.evil.example"}})), false,
		},
		"71 for a list of this issuer alone": {says(is(claims{"aud": []string{issuerName}})), false},
		"71 for the token endpoint":          {says(is(claims{"aud": issuerName + "/token"})), false},
		"71 for almost this issuer":          {says(is(claims{"aud": issuerName + "/"})), false},
		"71 for this issuer in another case": {says(is(claims{"aud": strings.ToUpper(issuerName)})), false},
		"71 for nobody":                      {says(is(claims{"aud": nil})), false},
		"1 alg none":                         {unsigned, false},
		"2 a signature of nobody":            {func(s *shop) string { a := says(is(nil))(s); return a[:len(a)-86] + strings.Repeat("A", 86) }, false},
		"9 by another client's key": {
			by(func(s *shop) *jose.PrivateKey { return s.orders }, assertionType, is(nil)), false,
		},
		"9 by a stranger's key": {
			by(func(s *shop) *jose.PrivateKey { return newKey(s.t) }, assertionType, is(nil)), false,
		},
		"9 by the login service": {
			by(func(s *shop) *jose.PrivateKey { return s.login }, assertionType, is(nil)), false,
		},
		"37 an access token": {
			by(func(s *shop) *jose.PrivateKey { return s.edge }, "at+jwt", is(nil)), false,
		},
		"37 a token of another type": {by(func(s *shop) *jose.PrivateKey { return s.edge }, "JWT", is(nil)), false},
		"37 a proof": {
			by(func(s *shop) *jose.PrivateKey { return s.edge }, "wpt+jwt", is(nil)), false,
		},
		"37 without typ":                     {untyped(is(nil)), true}, // RFC 7523 demands none
		"37 without typ, for a list":         {untyped(is(claims{"aud": []string{issuerName}})), false},
		"37 without typ, for another issuer": {untyped(is(claims{"aud": "https://id.evil.example"})), false},
		"37 without typ, of another client":  {untyped(is(claims{"sub": orders})), false},
		"37 without typ, without jti":        {untyped(is(claims{"jti": nil})), false},
		"37 without typ, used before":        {func(s *shop) string { a := untyped(is(nil))(s); s.post(s.formWith(a)); return a }, false},
		"37 typ is empty":                    {headed(`,"typ":""`, is(nil)), false},
		"37 typ is null":                     {headed(`,"typ":null`, is(nil)), false},
		"36 sub is another client":           {says(is(claims{"sub": orders})), false},
		"36 no sub":                          {says(is(claims{"sub": nil})), false},
		"35 iss is another client":           {says(is(claims{"iss": orders})), false},
		"35 iss is nobody who is known": {
			says(is(claims{"iss": "spiffe://shop.example/nobody", "sub": "spiffe://shop.example/nobody"})), false,
		},
		"35 iss is no ID":           {says(is(claims{"iss": "' OR 1=1", "sub": "' OR 1=1"})), false},
		"35 iss goes up":            {says(is(claims{"iss": "spiffe://shop.example/../edge", "sub": edge})), false},
		"35 no iss":                 {says(is(claims{"iss": nil})), false},
		"22 no exp":                 {says(is(claims{"exp": nil})), false},
		"22 no iat":                 {says(is(claims{"iat": nil})), false},
		"24 exp as text":            {says(is(claims{"exp": "4102444800"})), false},
		"28 good for 61 seconds":    {says(then("exp", 61*time.Second)), false},
		"29 expired 29 seconds ago": {says(lasting(-89*time.Second, -29*time.Second)), true},
		"29 expired 30 seconds ago": {says(lasting(-90*time.Second, -30*time.Second)), false},
		"30 made 30 seconds ahead":  {says(lasting(30*time.Second, 90*time.Second)), true},
		"30 made 31 seconds ahead":  {says(lasting(31*time.Second, 91*time.Second)), false},
		"30 good in a minute":       {says(then("nbf", time.Minute)), false},
		"61 no jti":                 {says(is(claims{"jti": nil})), false},
		"61 jti a number":           {says(is(claims{"jti": 7})), false},
		"61 jti too long":           {says(is(claims{"jti": strings.Repeat("j", 129)})), false},
		"61 used before":            {func(s *shop) string { a := says(is(nil))(s); s.post(s.formWith(a)); return a }, false},
		"61 jti used before": {func(s *shop) string {
			s.post(s.formWith(says(is(claims{"jti": "1"}))(s)))
			return says(is(claims{"jti": "1"}))(s)
		}, false},
		"44 padded":       {func(s *shop) string { return says(is(nil))(s) + "=" }, false},
		"46 two segments": {func(*shop) string { return "a.b" }, false},
		"42 too long":     {func(*shop) string { return strings.Repeat("a", 8193) }, false},
		"none":            {func(*shop) string { return "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				r := s.post(s.formWith(test.assertion(s)))
				if test.good {
					s.token(t, r, "at+jwt")
					return
				}
				s.refuses(t, r, http.StatusBadRequest, "invalid_client")
				if len(r.members) != 1 {
					t.Errorf("the answer says more: %v", r.members)
				}
				if jwtText.MatchString(s.log.String()) {
					t.Error("there is a token in the log")
				}
			})
		})
	}
	for name, by := range map[string]url.Values{
		"another client_id":    {"client_id": {orders}},
		"another type of form": {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}},
		"no type of form":      {"client_assertion_type": nil},
		"a secret": {
			"client_assertion": nil, "client_assertion_type": nil, "client_id": {edge}, "client_secret": {"x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.refuses(t, s.post(change(s.ownForm(), by)), http.StatusBadRequest, "invalid_client")
		})
	}
}

// What follows are changes of claims. Those that are about time are worked out in the test, which has a time of its
// own.

func is(c claims) func() claims { return func() claims { return c } }

func then(name string, d time.Duration) func() claims {
	return func() claims { return claims{name: in(d)} }
}

func lasting(from, to time.Duration) func() claims {
	return func() claims { return claims{"iat": in(from), "exp": in(to)} }
}

// signHeaded signs an assertion whose header has alg and kid, and then more.
func signHeaded(t testing.TB, key *jose.PrivateKey, more string, c claims) string {
	t.Helper()
	jwk, err := key.MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	var raw struct{ D string }
	if err := json.Unmarshal(jwk, &raw); err != nil {
		t.Fatal(err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(raw.D)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	header := `{"alg":"EdDSA","kid":"` + key.Public().KeyID() + `"` + more + `}`
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte(signed)))
}

// unsigned is an assertion without a signature.
func unsigned(s *shop) string {
	token := sign(s.t, s.edge, assertionType, honest(edge))
	header := base64.RawURLEncoding.EncodeToString([]byte(
		`{"alg":"none","kid":"` + s.edge.Public().KeyID() + `","typ":"` + assertionType + `"}`,
	))
	return header + token[strings.IndexByte(token, '.'):strings.LastIndexByte(token, '.')+1]
}

// Row 72: an exchange yields nothing wider than the user's token and the client's grant, for nobody else, and never
// from another kind of token.
func TestAttack72ExchangeForMore(t *testing.T) {
	const (
		request = "invalid_request"
		scope   = "invalid_scope"
		target  = "invalid_target"
		refresh = "urn:ietf:params:oauth:token-type:refresh_token"
	)
	for name, test := range map[string]struct {
		user claims
		form url.Values
		code string
	}{
		"72 a scope that the user has not": {
			claims{"scope": "orders.place"}, url.Values{"scope": {"orders.place payments.charge"}}, scope,
		},
		"72 a scope that the client has not": {nil, url.Values{"scope": {"browse"}}, scope},
		"72 a scope that only the client's own is": {
			claims{"scope": "orders.read"}, url.Values{"scope": {"orders.read"}}, scope,
		},
		"72 a scope that nobody has": {nil, url.Values{"scope": {"admin"}}, scope},
		"72 a user without scopes":   {claims{"scope": nil}, nil, scope},
		"72 a foreign trust domain":  {nil, url.Values{"audience": {"evil.example"}}, target},
		"72 a foreign audience": {
			nil, url.Values{"audience": {"spiffe://evil.example/payments"}, "requested_token_type": {accessToken}}, target,
		},
		"72 an audience that only the own is": {
			nil, url.Values{"audience": {orders}, "requested_token_type": {accessToken}}, target,
		},
		"72 a transaction for a service":    {nil, url.Values{"audience": {payments}}, target},
		"72 an access token for the domain": {nil, url.Values{"requested_token_type": {accessToken}}, target},
		"72 no audience":                    {nil, url.Values{"audience": nil}, target},
		"72 two audiences":                  {nil, url.Values{"resource": {payments}}, target},
		"72 a refresh token":                {nil, url.Values{"subject_token_type": {refresh}}, request},
		"72 an ID token": {
			nil, url.Values{"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}}, request,
		},
		"72 a transaction token, by name": {nil, url.Values{"subject_token_type": {txnToken}}, request},
		"72 any JWT": {
			nil, url.Values{"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}}, request,
		},
		"72 unsigned JSON": {
			nil,
			url.Values{
				"subject_token": {`{"sub":"alice"}`}, "subject_token_type": {"urn:ietf:params:oauth:token-type:unsigned_json"},
			},
			request,
		},
		"72 no type":             {nil, url.Values{"subject_token_type": nil}, request},
		"72 no user":             {nil, url.Values{"subject_token": nil}, request},
		"72 for a refresh token": {nil, url.Values{"requested_token_type": {refresh}}, request},
		"72 with an actor": {
			nil, url.Values{"actor_token": {"x"}, "actor_token_type": {accessToken}}, request,
		},
		"72 with half an actor":              {nil, url.Values{"actor_token_type": {accessToken}}, request},
		"72 a token sent to another service": {claims{"aud": orders}, nil, request},
		"72 a token sent to two services":    {claims{"aud": []string{edge, orders}}, nil, request},
		"72 a token for the issuer":          {claims{"aud": issuerName}, nil, request},
		"36 a workload as the user":          {claims{"sub": payments}, nil, request},
		"36 no sub":                          {claims{"sub": nil}, nil, request},
		"36 sub too long":                    {claims{"sub": strings.Repeat("a", 2049)}, nil, request},
		"35 another login service":           {claims{"iss": "https://login.evil.example"}, nil, request},
		"35 the issuer itself":               {claims{"iss": issuerName}, nil, request},
		"22 no exp":                          {claims{"exp": nil}, nil, request},
		"22 no jti":                          {claims{"jti": nil}, nil, request},
		"45 scope a number":                  {claims{"scope": 7}, nil, scope}, // which is to have none
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				form := change(s.userForm(sign(t, s.login, "at+jwt", alice().with(test.user))), test.form)
				s.refuses(t, s.post(form), http.StatusBadRequest, test.code)
				if jwtText.MatchString(s.log.String()) || strings.Contains(s.log.String(), "alice") {
					t.Error("there is a token or a user in the log")
				}
			})
		})
	}
}

// Row 72: what is no access token of the login service stands for no user, and the answer never says why.
func TestAttack72SubjectTokens(t *testing.T) {
	for name, token := range map[string]func(s *shop) string{
		"72 a refresh token that is called an access token": func(*shop) string { return "8xLOxBtZp8" },
		"72 an ID token":            func(s *shop) string { return sign(s.t, s.login, "JWT", alice()) },
		"72 a transaction token":    func(s *shop) string { return s.post(s.aliceForm()).text("access_token") },
		"72 an own access token":    func(s *shop) string { return s.post(s.ownForm()).text("access_token") },
		"72 an exchanged token":     exchanged,
		"72 the client's assertion": func(s *shop) string { return sign(s.t, s.edge, assertionType, honest(edge)) },
		"9 by the client's own key": func(s *shop) string { return sign(s.t, s.edge, "at+jwt", alice()) },
		"9 by a stranger":           func(s *shop) string { return sign(s.t, newKey(s.t), "at+jwt", alice()) },
		"2 the signature of nobody": func(s *shop) string {
			a := sign(s.t, s.login, "at+jwt", alice())
			return a[:len(a)-86] + strings.Repeat("A", 86)
		},
		"28 good for more than an hour": func(s *shop) string {
			return sign(s.t, s.login, "at+jwt", alice().with(claims{"exp": in(time.Hour + time.Second)}))
		},
		"29 expired just now": func(s *shop) string {
			return sign(s.t, s.login, "at+jwt", alice().with(claims{"iat": in(-time.Minute), "exp": in(0)}))
		},
		"30 not valid yet": func(s *shop) string {
			return sign(s.t, s.login, "at+jwt", alice().with(claims{"nbf": in(31 * time.Second)}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				r := s.post(s.userForm(token(s)))
				s.refuses(t, r, http.StatusBadRequest, "invalid_request")
				if r.text("error_description") != "the subject_token is not accepted" {
					t.Errorf("the answer says more: %v", r.members)
				}
			})
		})
	}
}

// exchanged is an access token for edge itself in the name of alice.
func exchanged(s *shop) string {
	client := s.edgeClient()
	client.Users.Audiences = append(client.Users.Audiences, edge)
	s.registry = issuer.NewStatic(client)
	s.open()
	return s.post(change(
		s.aliceForm(), url.Values{"audience": {edge}, "requested_token_type": {accessToken}},
	)).text("access_token")
}
