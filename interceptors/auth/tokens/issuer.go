package tokens

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
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/principal"
)

const (
	// assertionForm is what RFC 7523 section 2.2 calls the token by which a client authenticates, in a form.
	assertionForm = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Option changes how tokens are fetched from an issuer's token endpoint. It prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	loopback  bool
	transport http.RoundTripper
	scopes    []string
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string { return o.text }
func (o option) apply(c *config) {
	o.set(c)
}

// WithScopes asks for scopes (RFC 6749 section 3.3). By default the issuer decides.
func WithScopes(scopes ...string) Option {
	return option{"tokens.WithScopes(" + strings.Join(scopes, ", ") + ")", func(c *config) {
		c.scopes = append(c.scopes, scopes...)
	}}
}

// WithLoopbackHTTP also accepts a token endpoint of plain HTTP on this machine, for development.
func WithLoopbackHTTP() Option {
	return option{"tokens.WithLoopbackHTTP()", func(c *config) { c.loopback = true }}
}

// WithRoundTripper makes t do the requests, in the place of a transport that verifies certificates by the roots of the
// system and takes 2 seconds at most to connect. All other limits remain.
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"tokens.WithRoundTripper", func(c *config) { c.transport = t }}
}

// Workload authenticates to an issuer: an auth.Identity.
type Workload interface {
	// ClientAssertion signs a token that is good once for this issuer (private_key_jwt, RFC 7523).
	ClientAssertion(ctx context.Context, issuer string) (string, error)
}

// IssuerClient is a [TokenSource] that asks an issuer's token endpoint, by the client credentials grant (RFC 6749
// section 4.4). It is safe for concurrent use. [FromIssuer] makes one.
type IssuerClient struct {
	issuer   string
	endpoint string
	workload Workload
	config   config
	client   *httpdoc.Client
	text     string
}

// FromIssuer returns the source that is the token endpoint of an issuer. The workload authenticates with its own key
// (private_key_jwt, RFC 7523), see auth.Identity.ClientAssertion. The server for which the token is meant is named as
// resource (RFC 8707).
//
// The endpoint is spoken to as package keyset speaks to a URL: HTTPS, no redirects, no proxy, 5 seconds, 16 KiB. Every
// call of Token is a request, so put the source behind [Keep].
func FromIssuer(issuer, endpoint string, workload Workload, opts ...Option) *IssuerClient {
	c := &IssuerClient{issuer: issuer, endpoint: endpoint, workload: workload}
	c.text = fmt.Sprintf("tokens.FromIssuer(%q, ", issuer)
	for _, o := range opts {
		if o != nil {
			o.apply(&c.config)
			c.text += o.String() + ", "
		}
	}
	c.text = strings.TrimSuffix(c.text, ", ") + ")"
	c.client = httpdoc.New(httpdoc.Options{Transport: c.config.transport, Loopback: c.config.loopback})
	return c
}

// String is how the source was made.
func (c *IssuerClient) String() string { return c.text }

// Check returns every mistake in the arguments, joined.
func (c *IssuerClient) Check() error {
	var errs []error
	if c.issuer == "" {
		errs = append(errs, errors.New("tokens: FromIssuer: no issuer is named; state it as it calls itself, byte for byte"))
	}
	if err := c.client.CheckURL(c.endpoint); err != nil {
		errs = append(errs, fmt.Errorf("tokens: FromIssuer: token endpoint: %w", err))
	}
	if c.workload == nil {
		errs = append(errs, errors.New("tokens: FromIssuer: there is no workload to ask in the name of; pass an Identity"))
	}
	if len(c.config.scopes) > 0 {
		if err := jose.CheckScopes(c.config.scopes); err != nil {
			errs = append(errs, fmt.Errorf("tokens: FromIssuer: WithScopes: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Token asks the issuer for a token. The error shows no more of what the issuer answered than the HTTP status and an
// error code of RFC 6749.
func (c *IssuerClient) Token(ctx context.Context, audience principal.ID) (Token, error) {
	if err := c.Check(); err != nil {
		return Token{}, err
	}
	assertion, err := c.workload.ClientAssertion(ctx, c.issuer)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: client assertion: %w", err)
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
	answer, err := c.client.PostForm(ctx, c.endpoint, form, maxAnswerBytes)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: token endpoint: %w%s", err, errorCode(err))
	}
	token, err := readTokenAnswer(answer.Body, asked)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: answer of the token endpoint: %w", err)
	}
	return token, nil
}

// errorCode is the error code in the answer behind err, when it is one that is known.
func errorCode(err error) string {
	status, ok := errors.AsType[*httpdoc.StatusError](err)
	if !ok {
		return ""
	}
	members, err := strictjson.ReadDocument(status.Body)
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
	members, err := strictjson.ReadDocument(body)
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
