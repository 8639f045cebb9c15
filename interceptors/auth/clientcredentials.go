package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

const (
	// assertionForm is what RFC 7523 section 2.2 calls the token by which a client authenticates, in a form.
	assertionForm = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// ClientCredentialsOption changes how tokens are fetched from an issuer's token endpoint. It prints itself.
type ClientCredentialsOption interface {
	fmt.Stringer
	applyClientCredentials(*clientCredentialsConfig)
}

type clientCredentialsConfig struct {
	loopback  bool
	transport http.RoundTripper
	scopes    []string
}

type clientCredentialsOption struct {
	text string
	set  func(*clientCredentialsConfig)
}

func (o clientCredentialsOption) String() string { return o.text }
func (o clientCredentialsOption) applyClientCredentials(c *clientCredentialsConfig) {
	o.set(c)
}

// WithScopes asks for scopes (RFC 6749 section 3.3). By default the issuer decides.
func WithScopes(scopes ...string) ClientCredentialsOption {
	return clientCredentialsOption{"auth.WithScopes(" + strings.Join(scopes, ", ") + ")", func(c *clientCredentialsConfig) {
		c.scopes = append(c.scopes, scopes...)
	}}
}

// WithLoopbackHTTP also accepts a token endpoint of plain HTTP on this machine, for development.
func WithLoopbackHTTP() ClientCredentialsOption {
	return clientCredentialsOption{"auth.WithLoopbackHTTP()", func(c *clientCredentialsConfig) { c.loopback = true }}
}

// WithRoundTripper makes t do the requests, in the place of a transport that verifies certificates by the roots of the system
// and takes 2 seconds at most to connect. All other limits remain.
func WithRoundTripper(t http.RoundTripper) ClientCredentialsOption {
	return clientCredentialsOption{"auth.WithRoundTripper", func(c *clientCredentialsConfig) { c.transport = t }}
}

// Workload authenticates to an issuer: an auth.Identity.
type Workload interface {
	// ClientAssertion signs a token that is good once for this issuer (private_key_jwt, RFC 7523).
	ClientAssertion(ctx context.Context, issuer string) (string, error)
}

// ClientCredentials is a [TokenSource] that asks an issuer's token endpoint, by the client credentials grant (RFC 6749 section
// 4.4). It is safe for concurrent use. [TokensFromIssuer] makes one.
type ClientCredentials struct {
	issuer   string
	endpoint string
	workload Workload
	config   clientCredentialsConfig
	client   *httpdoc.Client
	text     string
}

// TokensFromIssuer returns the source that is the token endpoint of an issuer. The workload authenticates with its own key
// (private_key_jwt, RFC 7523), see auth.Identity.ClientAssertion. The server for which the token is meant is named as resource
// (RFC 8707).
//
// The endpoint is spoken to as package keyset speaks to a URL: HTTPS, no redirects, no proxy, 5 seconds, 16 KiB. Every call of
// Token is a request, so put the source behind [KeepTokens].
func TokensFromIssuer(issuer, endpoint string, workload Workload, opts ...ClientCredentialsOption) *ClientCredentials {
	c := &ClientCredentials{issuer: issuer, endpoint: endpoint, workload: workload}
	c.text = fmt.Sprintf("auth.TokensFromIssuer(%q, ", issuer)
	for _, o := range opts {
		if o != nil {
			o.applyClientCredentials(&c.config)
			c.text += o.String() + ", "
		}
	}
	c.text = strings.TrimSuffix(c.text, ", ") + ")"
	c.client = httpdoc.New(httpdoc.Options{Transport: c.config.transport, Loopback: c.config.loopback})
	return c
}

// String is how the source was made.
func (c *ClientCredentials) String() string { return c.text }

// Check returns every mistake in the arguments, joined.
func (c *ClientCredentials) Check() error {
	var errs []error
	if c.issuer == "" {
		errs = append(errs, errors.New("auth: TokensFromIssuer: no issuer is named; state it as it calls itself, byte for byte"))
	}
	if err := c.client.CheckURL(c.endpoint); err != nil {
		errs = append(errs, fmt.Errorf("auth: TokensFromIssuer: token endpoint: %w", err))
	}
	if c.workload == nil {
		errs = append(errs, errors.New("auth: TokensFromIssuer: there is no workload to ask in the name of"))
	}
	if len(c.config.scopes) > 0 {
		if err := jose.CheckScopes(c.config.scopes); err != nil {
			errs = append(errs, fmt.Errorf("auth: TokensFromIssuer: WithScopes: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Token asks the issuer for a token. The error shows no more of what the issuer answered than the HTTP status and an error
// code of RFC 6749.
func (c *ClientCredentials) Token(ctx context.Context, audience principal.ID) (Token, error) {
	if err := c.Check(); err != nil {
		return Token{}, err
	}
	assertion, err := c.workload.ClientAssertion(ctx, c.issuer)
	if err != nil {
		return Token{}, fmt.Errorf("auth: client assertion: %w", err)
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {assertionForm},
		"client_assertion":      {assertion},
	}
	if !audience.IsZero() {
		form.Set("resource", audience.String())
	}
	if len(c.config.scopes) > 0 {
		form.Set("scope", strings.Join(c.config.scopes, " "))
	}
	asked := time.Now()
	answer, err := c.client.PostForm(ctx, c.endpoint, form, maxTokenAnswer)
	if err != nil {
		return Token{}, fmt.Errorf("auth: token endpoint: %w%s", err, errorCode(err))
	}
	token, err := readTokenAnswer(answer.Body, asked)
	if err != nil {
		return Token{}, fmt.Errorf("auth: answer of the token endpoint: %w", err)
	}
	return token, nil
}

// errorCode is the error code in the answer behind err, when it is one that is known.
func errorCode(err error) string {
	status, ok := errors.AsType[*httpdoc.StatusError](err)
	if !ok {
		return ""
	}
	members, err := jose.ReadDocument(status.Body)
	if err != nil {
		return ""
	}
	code, _ := members.String("error")
	known := []string{ // RFC 6749 section 5.2, RFC 8707 section 2
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	}
	if !slices.Contains(known, code) {
		return ""
	}
	return ": " + code
}

// readTokenAnswer reads a successful answer (RFC 6749 section 5.1).
func readTokenAnswer(body []byte, asked time.Time) (Token, error) {
	members, err := jose.ReadDocument(body)
	if err != nil {
		return Token{}, err
	}
	value, _ := members.String("access_token")
	if kind, _ := members.String("token_type"); value == "" || !strings.EqualFold(kind, "Bearer") {
		return Token{}, errors.New("it holds no bearer token")
	}
	// What follows is no date but a number of seconds, which is read the same way.
	life, known, err := members.NumericDate("expires_in")
	if err != nil {
		return Token{}, errors.New("expires_in is no number of seconds")
	}
	token := Token{Value: value, Expires: asked.Add(time.Duration(life.Unix()) * time.Second)}
	if claims, err := jose.Unproven(value); err == nil {
		if expires, ok, err := claims.NumericDate("exp"); err == nil && ok && (!known || expires.Before(token.Expires)) {
			token.Expires, known = expires, true
		}
	}
	if !known {
		return Token{}, errors.New("neither it nor the token says when the token expires")
	}
	return token, nil
}
