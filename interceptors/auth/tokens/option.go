package tokens

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
)

// Option changes how tokens are fetched from an issuer's token endpoint. It prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	fetching  httpdoc.Options
	scopes    []string
	client    string
	parameter AudienceParameter
	audience  string
	ways      []authentication // of which there may be one
	inBody    bool
	mistakes  []error
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string { return o.text }
func (o option) apply(c *config) {
	o.set(c)
}

// given is an option whose value must not be empty.
func given(name, value string, set func(*config)) Option {
	text := fmt.Sprintf("tokens.%s(%q)", name, value)
	return option{text, func(c *config) {
		if value == "" {
			c.mistakes = append(c.mistakes, stated.New("|"+name+"|: nothing is given; state it, or leave it out"))
		}
		set(c)
	}}
}

// WithScopes asks for scopes (RFC 6749 section 3.3). By default the issuer decides.
func WithScopes(scopes ...string) Option {
	return option{"tokens.WithScopes(" + strings.Join(scopes, ", ") + ")", func(c *config) {
		c.scopes = append(c.scopes, scopes...)
		if len(scopes) == 0 {
			c.mistakes = append(c.mistakes, stated.New("|WithScopes|: no scope is named; leave it out to let the issuer decide"))
		}
	}}
}

// WithClientID asks in the name of a client of the issuer, by the ID that the issuer gave it. By default the client is
// the workload, by its own ID, as Parley's issuer knows it.
func WithClientID(id string) Option {
	return given("WithClientID", id, func(c *config) { c.client = id })
}

// AudienceParameter is the name of the parameter that tells a token endpoint whom the token is meant for.
type AudienceParameter string

// The names that servers know. Which one it is stands in the documentation of the server; one that does not know the
// parameter may ignore it, and give a token for somebody else.
const (
	// Resource is that of RFC 8707, the default.
	Resource AudienceParameter = "resource"
	// Audience is that of Auth0 and others.
	Audience AudienceParameter = "audience"
	// NoAudience sends none, for servers where the scope or the client decides, such as Microsoft Entra ID.
	NoAudience AudienceParameter = "none"
)

// WithAudienceParameter names the parameter in which the request says whom the token is meant for.
func WithAudienceParameter(name AudienceParameter) Option {
	return option{fmt.Sprintf("tokens.WithAudienceParameter(%s)", name), func(c *config) { c.parameter = name }}
}

// WithAudience is what the issuer calls the server that the token is meant for. By default it is the ID of the server.
func WithAudience(name string) Option {
	return given("WithAudience", name, func(c *config) { c.audience = name })
}

// WithLoopbackHTTP also accepts a token endpoint of plain HTTP on this machine, for development.
func WithLoopbackHTTP() Option {
	return option{"tokens.WithLoopbackHTTP()", func(c *config) { c.fetching.Loopback = true }}
}

// WithCAFile verifies the token endpoint by the certificate authorities in a file, PEM, in the place of those of the
// system. It is read again before each request. The right to write it is the right to receive what the client proves
// itself with, so it must belong to root or to the user of this process and be writable by no other user.
func WithCAFile(path string) Option {
	return given("WithCAFile", path, func(c *config) { c.fetching.CAFile = path })
}

// WithProxy sends the requests through an HTTP proxy, such as "http://proxy.shop.example:3128". TLS goes through it to
// the token endpoint. By default there is none, whatever the environment says.
func WithProxy(address string) Option {
	return given("WithProxy", address, func(c *config) { c.fetching.Proxy = address })
}

// WithRoundTripper makes t do the requests, in the place of a transport that verifies certificates by the roots of the
// system and takes 2 seconds at most to connect. All other limits remain. It does not go with [WithCAFile] and
// [WithProxy].
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"tokens.WithRoundTripper", func(c *config) { c.fetching.Transport = t }}
}

// check returns every mistake in the options.
func (c *config) check() []error {
	errs := slices.Clone(c.mistakes)
	if len(c.scopes) > 0 {
		if err := jose.CheckScopes(c.scopes); err != nil {
			errs = append(errs, stated.New("|WithScopes|: %v", err))
		}
	}
	switch c.parameter {
	case "", Resource, Audience:
	case NoAudience:
		if c.audience != "" {
			errs = append(errs, stated.New("|WithAudience|: |WithAudienceParameter| says that no audience is sent; "+
				"remove one of the two"))
		}
	default:
		errs = append(errs, stated.New("|WithAudienceParameter|: %s is none of resource, audience and none",
			quote.Text(string(c.parameter))))
	}
	if len(c.ways) > 1 {
		errs = append(errs, errors.New("a certificate, an assertion file, a client secret and a bearer token are ways "+
			"to prove who the client is; keep one of them"))
	}
	return errs
}
