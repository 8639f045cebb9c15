package tokens

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/internal/tokenfile"
)

// assertionForm is what RFC 7523 section 2.2 calls the token by which a client authenticates, in a form.
const assertionForm = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authentication is how a client proves to a token endpoint who it is.
type authentication interface {
	// prove adds the proof to the form of one request, or returns it as the value of the Authorization header.
	prove(ctx context.Context, c *IssuerClient, form url.Values) (authorization string, err error)
	// check reads the files that it needs, so that a mistake shows early.
	check() error
	// needsClientID reports whether the proof does not name the client by itself.
	needsClientID() bool
}

// addAssertion adds a proof that is a token (RFC 7523 section 2.2).
func addAssertion(form url.Values, assertion string) {
	form.Set("client_assertion_type", assertionForm)
	form.Set("client_assertion", assertion)
}

// ownKey proves with the key of the workload, by an assertion that is good once.
type ownKey struct{ workload Workload }

func (k ownKey) prove(ctx context.Context, c *IssuerClient, form url.Values) (string, error) {
	assertion, err := k.workload.ClientAssertion(ctx, c.config.client, c.issuer)
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	addAssertion(form, assertion)
	return "", nil
}

func (ownKey) check() error        { return nil }
func (ownKey) needsClientID() bool { return false }

// WithCertificate authenticates the client with a certificate of its own that the issuer knows (private_key_jwt, RFC
// 7523, with x5t#S256 in the header), as Microsoft Entra ID and AD FS have it. Both files are PEM and are read again
// before each request; the key's must be readable by the user of this process alone.
//
// The algorithm is "PS256" or "RS256" for an RSA key and "ES256" for one of P-256; "" stands for PS256 or ES256. With
// RS256 the header has x5t, too, the SHA-1 thumbprint by which older servers find the certificate. The one audience of
// the assertion is the issuer, by the name that was given to [FromIssuer]: some servers want the URL of the endpoint
// there.
func WithCertificate(certificate, key, algorithm string) Option {
	text := fmt.Sprintf("tokens.WithCertificate(%q, %q, %q)", certificate, key, algorithm)
	return option{text, func(c *config) {
		c.ways = append(c.ways, certificateFiles{certificate, key, jose.Algorithm(algorithm)})
	}}
}

type certificateFiles struct {
	certificate, key string
	algorithm        jose.Algorithm
}

func (f certificateFiles) read() (*jose.CertificateKey, error) {
	certificate, err := safepath.New().ReadPublic(f.certificate, maxSecretBytes)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := safepath.New().ReadSecret(f.key, maxSecretBytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	pair, err := jose.ParseCertificateKey(certificate, key, f.algorithm)
	switch {
	case err != nil:
		return nil, fmt.Errorf("certificate %s: %w", f.certificate, err)
	case !time.Now().Before(pair.Ends()):
		return nil, fmt.Errorf("certificate %s: it has expired; put another there, and let the issuer know it", f.certificate)
	}
	return pair, nil
}

func (f certificateFiles) prove(_ context.Context, c *IssuerClient, form url.Values) (string, error) {
	key, err := f.read()
	if err != nil {
		return "", err
	}
	now := time.Now()
	var b jose.ClaimsBuilder
	b.String("iss", c.config.client).String("sub", c.config.client).String("aud", c.issuer).String("jti", rand.Text())
	b.NumericDate("iat", now).NumericDate("nbf", now).NumericDate("exp", now.Add(assertionLife))
	claims, err := b.Claims()
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	assertion, err := key.SignAssertion(claims)
	if err != nil {
		return "", fmt.Errorf("client assertion: %w", err)
	}
	addAssertion(form, assertion)
	return "", nil
}

func (f certificateFiles) check() error {
	_, err := f.read()
	return err
}

func (certificateFiles) needsClientID() bool { return true }

// WithAssertionFile authenticates the client with a token of another issuer that the issuer of the tokens federates
// with, such as the projected service account token of a pod (workload identity federation of Microsoft Entra ID). The
// file is read again before each request.
func WithAssertionFile(path string) Option {
	return given("WithAssertionFile", path, func(c *config) { c.ways = append(c.ways, assertionFile(path)) })
}

type assertionFile string

func (f assertionFile) read() (string, error) {
	assertion, err := tokenfile.Read(string(f))
	if err == nil && assertion == "" {
		err = errors.New("it is empty; let whoever issues the token write it there")
	}
	if claims, unread := jose.Unproven(assertion); err == nil && unread == nil {
		if expires, ok, unread := claims.NumericDate("exp"); ok && unread == nil && !time.Now().Before(expires) {
			err = errors.New("the token in it has expired; whoever writes it does not renew it")
		}
	}
	if err != nil {
		return "", fmt.Errorf("assertion file %s: %w", string(f), err)
	}
	return assertion, nil
}

func (f assertionFile) prove(_ context.Context, _ *IssuerClient, form url.Values) (string, error) {
	assertion, err := f.read()
	if err != nil {
		return "", err
	}
	addAssertion(form, assertion)
	return "", nil
}

func (f assertionFile) check() error {
	_, err := f.read()
	return err
}

func (assertionFile) needsClientID() bool { return true }

// WithClientSecretFile authenticates the client with a secret that it shares with the issuer (client_secret_basic),
// which lies in a file that the user of this process alone may read, and that is read again before each request. It is
// for servers that know nothing else: the secret goes over the wire in each request, does not end by itself, and
// whoever has seen it once, there or here, is the client until somebody exchanges it at both ends.
func WithClientSecretFile(path string) Option {
	return given("WithClientSecretFile", path, func(c *config) { c.ways = append(c.ways, clientSecret(path)) })
}

// WithClientSecretInBody sends the secret of [WithClientSecretFile] in the form (client_secret_post), for servers that
// do not read the header.
func WithClientSecretInBody() Option {
	return option{"tokens.WithClientSecretInBody()", func(c *config) { c.inBody = true }}
}

type clientSecret string

func (f clientSecret) read() (string, error) {
	text, err := safepath.New().ReadSecret(string(f), maxSecretBytes)
	if err != nil {
		return "", fmt.Errorf("client secret: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("client secret: %s: it is empty; write the secret there", string(f))
	}
	return secret, nil
}

func (f clientSecret) prove(_ context.Context, c *IssuerClient, form url.Values) (string, error) {
	secret, err := f.read()
	switch {
	case err != nil:
		return "", err
	case c.config.inBody:
		form.Set("client_secret", secret)
		return "", nil
	}
	// RFC 6749 section 2.3.1. The header names the client, too.
	form.Del("client_id")
	pair := url.QueryEscape(c.config.client) + ":" + url.QueryEscape(secret)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
}

func (f clientSecret) check() error {
	_, err := f.read()
	return err
}

func (clientSecret) needsClientID() bool { return true }

// WithBearerTokenFile authenticates the requests with the bearer token in a file (RFC 6750), which is read again before
// each, for endpoints that exchange one token for another.
func WithBearerTokenFile(path string) Option {
	return given("WithBearerTokenFile", path, func(c *config) { c.ways = append(c.ways, bearerFile(path)) })
}

type bearerFile string

func (f bearerFile) read() (string, error) {
	token, err := tokenfile.Read(string(f))
	if err == nil && (token == "" || strings.ContainsAny(token, " \t\r\n")) {
		err = errors.New("it does not hold one token; write it there and nothing else")
	}
	if err != nil {
		return "", fmt.Errorf("bearer token file %s: %w", string(f), err)
	}
	return token, nil
}

func (f bearerFile) prove(context.Context, *IssuerClient, url.Values) (string, error) {
	token, err := f.read()
	return "Bearer " + token, err
}

func (f bearerFile) check() error {
	_, err := f.read()
	return err
}

func (bearerFile) needsClientID() bool { return false }
