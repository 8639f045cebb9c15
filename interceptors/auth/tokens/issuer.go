package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/principal"
)

// Workload authenticates to an issuer: an auth.Identity.
type Workload interface {
	// ClientAssertion signs a token that is good once for this issuer (private_key_jwt, RFC 7523), in the name of a client
	// of it, which is the workload itself where client is "".
	ClientAssertion(ctx context.Context, client, issuer string) (string, error)
}

// bearer is the token_type of bearer tokens (RFC 6750 section 4).
const bearer = "Bearer"

// IssuerClient is a [TokenSource] that asks an issuer's token endpoint, by the client credentials grant (RFC 6749
// section 4.4). It is safe for concurrent use. [FromIssuer] makes one.
type IssuerClient struct {
	issuer   string
	endpoint string
	config   config
	proof    authentication // nil where there is none
	client   *httpdoc.Client
	text     string
}

// FromIssuer returns the source that is the token endpoint of an issuer. The workload authenticates with its own key
// (private_key_jwt, RFC 7523), see auth.Identity.ClientAssertion, and the server for which the token is meant is named
// as resource (RFC 8707), as Parley's issuer has it. Other servers want something else: [WithClientID],
// [WithCertificate], [WithAssertionFile], [WithClientSecretFile], [WithAudienceParameter]. Where one of these proves
// who the client is, the workload may be nil.
//
// The endpoint is spoken to as package keyset speaks to a URL: HTTPS, no redirects, no proxy but that of [WithProxy], 5
// seconds, 64 KiB. Every call of Token is a request, so put the source behind [Keep].
func FromIssuer(issuer, endpoint string, workload Workload, opts ...Option) *IssuerClient {
	c := &IssuerClient{issuer: issuer, endpoint: endpoint}
	c.text = fmt.Sprintf("tokens.FromIssuer(%q, ", issuer)
	for _, o := range opts {
		if o != nil {
			o.apply(&c.config)
			c.text += o.String() + ", "
		}
	}
	c.text = strings.TrimSuffix(c.text, ", ") + ")"
	switch {
	case len(c.config.ways) > 0:
		c.proof = c.config.ways[0]
	case workload != nil:
		c.proof = ownKey{workload}
	}
	c.client = httpdoc.New(c.config.fetching)
	return c
}

// String is how the source was made.
func (c *IssuerClient) String() string { return c.text }

// Check returns every mistake in the arguments, joined, and reads the files that they name once.
func (c *IssuerClient) Check() error {
	if err := c.checkArguments(); err != nil {
		return err
	}
	return stated.Within("tokens: FromIssuer", errors.Join(c.client.Check(), c.proof.check()))
}

func (c *IssuerClient) checkArguments() error {
	errs := c.config.check()
	if c.issuer == "" {
		errs = append(errs, errors.New("no issuer is named; state it as it calls itself, byte for byte"))
	}
	if err := errors.Join(c.client.Err(), c.client.CheckURL(c.endpoint)); err != nil {
		errs = append(errs, fmt.Errorf("token endpoint: %w", err))
	}
	if c.proof == nil {
		errs = append(errs, errors.New("there is no workload to ask in the name of; pass an Identity"))
	}
	if c.proof != nil && c.proof.needsClientID() && c.config.client == "" {
		errs = append(errs, stated.New("no client is named that this proves to be; state |WithClientID|"))
	}
	if _, secret := c.proof.(clientSecret); c.config.inBody && !secret {
		errs = append(errs, stated.New("|WithClientSecretInBody|: there is no client secret; state |WithClientSecretFile|, "+
			"or remove it"))
	}
	return stated.Within("tokens: FromIssuer", errors.Join(errs...))
}

// Token asks the issuer for a token. The error shows no more of what the issuer answered than the HTTP status and an
// error code of RFC 6749.
func (c *IssuerClient) Token(ctx context.Context, audience principal.ID) (Token, error) {
	if err := c.checkArguments(); err != nil {
		return Token{}, err
	}
	form := c.form(audience)
	authorization, err := c.proof.prove(ctx, c, form)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: %w", err)
	}
	asked := time.Now()
	answer, err := c.client.PostForm(ctx, c.endpoint, form, authorization, maxAnswerBytes)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: token endpoint: %w%s", err, errorCode(err))
	}
	token, err := readTokenAnswer(answer.Body, bearer, asked)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: answer of the token endpoint: %w", err)
	}
	return token, nil
}

// form is what a request asks for, without the proof of who asks.
func (c *IssuerClient) form(audience principal.ID) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.config.client != "" {
		form.Set("client_id", c.config.client)
	}
	if len(c.config.scopes) > 0 {
		form.Set("scope", strings.Join(c.config.scopes, " "))
	}
	name := c.config.audience
	if name == "" && !audience.IsZero() {
		name = audience.String()
	}
	switch c.config.parameter {
	case NoAudience:
	case Audience:
		setIfAny(form, "audience", name)
	case Resource, "":
		setIfAny(form, "resource", name)
	}
	return form
}

func setIfAny(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}
