package tokens

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/tokenfile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// The names of RFC 8693 in a request for an identity token, and that of Parley's issuer for the token itself.
const (
	grantClient   = "client_credentials"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	urnJWT        = "urn:ietf:params:oauth:token-type:jwt"
	urnIdentity   = "urn:parley:token-type:wit"
	notBearer     = "N_A"
)

// IdentityClient is a [Source] of workload identity tokens, for auth.Issued. [IdentityFromIssuer] makes one.
type IdentityClient struct {
	issuer   string
	endpoint string
	self     principal.ID
	signer   crypto.Signer
	evidence string
	config   config
	client   *httpdoc.Client
	text     string
}

// IdentityFromIssuer returns the source of the workload identity tokens that Parley's issuer makes for the workload
// self and its key, which auth.WithSigner must get, too. The key is Ed25519 or P-256, and may be made when the process
// starts.
//
// Evidence is the file with the token by which an authority of the issuer names this workload, such as a projected
// service account token of Kubernetes. It is read before each request. If it is "", the issuer must know the key as
// that of a registered service.
//
// The endpoint is spoken to as by [FromIssuer]. Of the options, [WithCAFile], [WithProxy], [WithRoundTripper] and
// [WithLoopbackHTTP] may be used. Every call of Token is a request, so put the source behind [Keep].
func IdentityFromIssuer(
	issuer, endpoint string, self principal.ID, key crypto.Signer, evidence string, opts ...Option,
) *IdentityClient {
	c := &IdentityClient{issuer: issuer, endpoint: endpoint, self: self, signer: key, evidence: evidence}
	c.text = fmt.Sprintf("tokens.IdentityFromIssuer(%q, %s, %q", issuer, self, evidence)
	for _, o := range opts {
		if o != nil {
			o.apply(&c.config)
			c.text += ", " + o.String()
		}
	}
	c.text += ")"
	c.client = httpdoc.New(c.config.fetching)
	return c
}

// String is how the source was made.
func (c *IdentityClient) String() string { return c.text }

// Check returns every mistake in the arguments, joined, and reads the files that they name once.
func (c *IdentityClient) Check() error {
	_, err := c.key()
	if c.evidence != "" {
		_, unread := c.readEvidence()
		err = errors.Join(err, unread)
	}
	if err = errors.Join(c.checkArguments(), err, c.client.Check()); err != nil {
		return fmt.Errorf("tokens: IdentityFromIssuer: %w", err)
	}
	return nil
}

func (c *IdentityClient) checkArguments() error {
	errs := c.config.check()
	if c.issuer == "" {
		errs = append(errs, errors.New("no issuer is named; state it as it calls itself, byte for byte"))
	}
	if c.self.IsZero() {
		errs = append(errs, errors.New("the workload has no ID; make it with principal.ParseID"))
	}
	if len(c.config.ways) > 0 || c.config.client != "" || len(c.config.scopes) > 0 || c.config.audience != "" ||
		c.config.parameter != "" || c.config.inBody {
		errs = append(errs, errors.New("an option is about bearer tokens; an identity token has no client, scope and "+
			"audience, so remove it"))
	}
	if err := errors.Join(c.client.Err(), c.client.CheckURL(c.endpoint)); err != nil {
		errs = append(errs, fmt.Errorf("token endpoint: %w", err))
	}
	return errors.Join(errs...)
}

func (c *IdentityClient) key() (*jose.PrivateKey, error) {
	if c.signer == nil {
		return nil, errors.New("there is no key that the token could bind; pass the one of auth.WithSigner")
	}
	return jose.NewPrivateKey(c.signer)
}

func (c *IdentityClient) readEvidence() (string, error) {
	token, err := tokenfile.Read(c.evidence)
	if err == nil && token == "" {
		err = errors.New("it is empty; mount the token of this workload there")
	}
	if claims, unread := jose.Unproven(token); err == nil && unread == nil {
		if expires, ok, unread := claims.NumericDate(wire.ClaimExpires); ok && unread == nil && !time.Now().Before(expires) {
			err = errors.New("the token in it has expired, and is not renewed; look at what writes the file")
		}
	}
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", c.evidence, err)
	}
	return token, nil
}

// Token asks the issuer for an identity token. The audience is not used, because an identity token has none. The error
// shows no more of the answer than the HTTP status and an error code of RFC 6749.
func (c *IdentityClient) Token(ctx context.Context, _ principal.ID) (Token, error) {
	if err := c.checkArguments(); err != nil {
		return Token{}, fmt.Errorf("tokens: IdentityFromIssuer: %w", err)
	}
	form, err := c.form(time.Now())
	if err != nil {
		return Token{}, fmt.Errorf("tokens: identity of %s: %w", c.self, err)
	}
	asked := time.Now()
	answer, err := c.client.PostForm(ctx, c.endpoint, form, "", maxAnswerBytes)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: identity of %s: token endpoint: %w%s", c.self, err, errorCode(err))
	}
	token, err := readTokenAnswer(answer.Body, notBearer, asked)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: identity of %s: answer of the token endpoint: %w", c.self, err)
	}
	return token, nil
}

func (c *IdentityClient) form(now time.Time) (url.Values, error) {
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {grantClient}, "requested_token_type": {urnIdentity}}
	if c.evidence == "" {
		assertion, err := c.assertion(key, now)
		addAssertion(form, assertion)
		return form, err
	}
	evidence, err := c.readEvidence()
	if err != nil {
		return nil, err
	}
	proof, err := wire.Enrollment{ID: c.self, Issuer: c.issuer, Evidence: evidence}.Sign(key, now)
	form.Set("grant_type", grantExchange)
	form.Set("subject_token", evidence)
	form.Set("subject_token_type", urnJWT)
	addAssertion(form, proof)
	return form, err
}

// assertion proves a registered key (private_key_jwt, RFC 7523).
func (c *IdentityClient) assertion(key *jose.PrivateKey, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(wire.ClaimIssuer, c.self.String()).String(wire.ClaimSubject, c.self.String())
	b.String(wire.ClaimAudience, c.issuer).String(wire.ClaimTokenID, rand.Text())
	b.NumericDate(wire.ClaimIssuedAt, now).NumericDate(wire.ClaimExpires, now.Add(assertionLife))
	claims, err := b.Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(jose.TypeAssertion, claims)
}

// Format writes [IdentityClient.String] whatever the verb, so that no log shows the key.
func (c *IdentityClient) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, c.text)
}
