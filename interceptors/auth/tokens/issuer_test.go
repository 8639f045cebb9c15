package tokens_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

const tokenEndpoint = issuerName + "/token"

// counter is a token endpoint that answers by script and keeps what it was sent.
type counter struct {
	t      testing.TB
	answer reply
	forms  []url.Values
	err    error
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.URL.String() != tokenEndpoint ||
		r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		c.t.Errorf("request %s %s %v", r.Method, r.URL, r.Header)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		c.t.Error(err)
	}
	c.forms = append(c.forms, form)
	if c.err != nil {
		return nil, c.err
	}
	header := http.Header{"Location": {"https://evil.example"}}
	response := &http.Response{
		StatusCode: c.answer.code,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(c.answer.text)),
	}
	return response, nil
}

// reply is what a token endpoint answers.
type reply struct {
	code int
	text string
}

func says(code int, text string) reply { return reply{code, text} }

func client(c *counter, workload tokens.Workload, opts ...tokens.Option) *tokens.IssuerClient {
	return tokens.FromIssuer(issuerName, tokenEndpoint, workload, append(opts, tokens.WithRoundTripper(c))...)
}

// A workload asks its issuer for a token with an assertion that is good for this issuer and one request.
func TestClientCredentials71(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{t: t, answer: says(200, `{"access_token":"opaque","token_type":"bearer","expires_in":600,"scope":"a"}`)}
		workload, key := orders(t)
		source := client(c, workload, tokens.WithScopes("payments.charge", "payments.read"))
		for range 2 {
			token, err := source.Token(t.Context(), id(t, "payments"))
			if err != nil || token.Value != "opaque" || time.Until(token.Expires) != 10*time.Minute {
				t.Errorf("got %q until %v, %v", token.Value, token.Expires, err)
			}
		}
		ids := map[string]bool{}
		for _, form := range c.forms {
			want := url.Values{
				"grant_type": {
					"client_credentials",
				}, "resource": {"spiffe://shop.example/payments"}, "scope": {"payments.charge payments.read"},
				"client_assertion_type": {
					"urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
				}, "client_assertion": form["client_assertion"],
			}
			if form.Encode() != want.Encode() {
				t.Errorf("form %v", form)
			}
			assertion, err := jose.Parse(form.Get("client_assertion"), "client-authentication+jwt")
			if err != nil {
				t.Fatal(err)
			}
			said, err := assertion.Verify(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			text := func(name string) string { value, _ := said.String(name); return value }
			if text("iss") != "spiffe://shop.example/orders" || text("sub") != text("iss") || text("aud") != issuerName {
				t.Errorf("iss %q, sub %q, aud %q", text("iss"), text("sub"), text("aud"))
			}
			expires, _, _ := said.NumericDate("exp")
			issued, _, _ := said.NumericDate("iat")
			if expires.Sub(issued) != time.Minute || text("jti") == "" || ids[text("jti")] {
				t.Errorf("iat %v, exp %v, jti %q", issued, expires, text("jti"))
			}
			ids[text("jti")] = true
		}
	})
}

// What an issuer answers instead of a token shows only in known codes, and no redirect is followed.
func TestTokenEndpointThatMisbehaves(t *testing.T) {
	expired := func(t *testing.T) string {
		return sign(t, newKey(t), "at+jwt", claims{"exp": in(30 * time.Second)})
	}
	for name, test := range map[string]struct {
		answer reply
		says   string
	}{
		"refused":          {says(401, `{"error":"invalid_client","error_description":"SECRET"}`), "HTTP status 401: invalid_client"},
		"unknown code":     {says(400, `{"error":"SECRET"}`), "HTTP status 400"},
		"HTML":             {says(500, `<html>SECRET`), "HTTP status 500"},
		"huge refusal":     {says(400, strings.Repeat("SECRET", 100_000)), "HTTP status 400"},
		"redirect 54":      {says(302, "SECRET"), "redirect is not followed"},
		"redirect kept 54": {says(308, "SECRET"), "redirect is not followed"},
		"huge":             {says(200, `{"access_token":"`+strings.Repeat("S", 70_000)+`"}`), "longer than 65536"},
		"no JSON":          {says(200, "SECRET"), "no object at byte 0"},
		"no token":         {says(200, `{"token_type":"Bearer","expires_in":600}`), "the token_type Bearer"},
		"another type":     {says(200, `{"access_token":"SECRET","token_type":"DPoP","expires_in":9}`), "token_type Bearer"},
		"no life":          {says(200, `{"access_token":"SECRET","token_type":"Bearer"}`), "when the token expires"},
		"life a word":      {says(200, `{"access_token":"SECRET","token_type":"Bearer","expires_in":"soon"}`), "expires_in"},
		"life a sum":       {says(200, `{"access_token":"SECRET","token_type":"Bearer","expires_in":"+600"}`), "expires_in"},
		"life no text":     {says(200, `{"access_token":"SECRET","token_type":"Bearer","expires_in":""}`), "expires_in"},
		"life zero":        {says(200, `{"access_token":"SECRET","token_type":"Bearer","expires_in":"0"}`), "expires_in"},
		"life negative":    {says(200, `{"access_token":"SECRET","token_type":"Bearer","expires_in":-1}`), "expires_in"},
		"twice":            {says(200, `{"access_token":"SECRET","access_token":"b","token_type":"Bearer","expires_in":600}`), "duplicate"},
	} {
		t.Run(name, func(t *testing.T) {
			workload, _ := orders(t)
			_, err := client(&counter{t: t, answer: test.answer}, workload).Token(t.Context(), id(t, "payments"))
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("the token ends before it is said to", func(t *testing.T) {
		c := &counter{t: t, answer: says(200, `{"access_token":"`+expired(t)+`","token_type":"Bearer","expires_in":600}`)}
		workload, _ := orders(t)
		token, err := client(c, workload).Token(t.Context(), id(t, "payments"))
		if err != nil || time.Until(token.Expires) > 30*time.Second {
			t.Errorf("%v, %v", token, err)
		}
	})
	t.Run("down", func(t *testing.T) {
		workload, _ := orders(t)
		_, err := client(&counter{t: t, err: errUnexpected}, workload).Token(t.Context(), id(t, "payments"))
		if !errors.Is(err, errUnexpected) {
			t.Error(err)
		}
	})
}

func TestTokensFromIssuerNamesEveryMistake(t *testing.T) {
	source := tokens.FromIssuer("", "http://user@id.shop.example/token?secret=1", nil, tokens.WithScopes("a b"), nil)
	for _, want := range []string{"no issuer", "token endpoint", "no workload", "WithScopes"} {
		if err := source.Check(); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
	if _, err := source.Token(t.Context(), principal.ID{}); err == nil {
		t.Error("a token from nowhere")
	}
	const want = `tokens.FromIssuer("a", tokens.WithScopes(b, c), tokens.WithLoopbackHTTP(), tokens.WithRoundTripper)`
	source = tokens.FromIssuer(
		"a",
		"",
		nil,
		tokens.WithScopes("b", "c"),
		tokens.WithLoopbackHTTP(),
		tokens.WithRoundTripper(nil),
	)
	if got := source.String(); got != want {
		t.Errorf("got %s", got)
	}
}
