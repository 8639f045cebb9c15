package keyset

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/tokenfile"
)

// Option changes how a [Set] is read. It prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	root       string
	fetching   httpdoc.Options
	fetches    bool   // the set is fetched
	remote     string // the name of the first option that only makes sense where it is
	bearers    int    // options that state a bearer token
	tokenFile  string
	mistakes   []error
	maxStale   time.Duration
	allowEmpty bool
	keys       jose.SetProfile
	timeout    time.Duration // of a fetch
	logger     *slog.Logger
	random     func() float64 // in [0, 1), for jitter
}

// client returns the client that fetches from an address, whose host alone sees the bearer token.
func (c *config) client(address string) (*httpdoc.Client, error) {
	c.fetches = true
	c.fetching.BearerURL = address
	client := httpdoc.New(c.fetching)
	return client, errors.Join(client.Err(), client.CheckURL(address))
}

// checkFiles reads the files that a fetch needs, so that a mistake shows early.
func (c *config) checkFiles() error {
	var errs []error
	if c.fetching.CAFile != "" {
		errs = append(errs, httpdoc.New(c.fetching).Check())
	}
	if c.tokenFile != "" {
		_, err := readTokenFile(c.tokenFile)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *config) check() error {
	errs := slices.Clone(c.mistakes)
	if c.root != "" && !isThumbprint(c.root) {
		errs = append(
			errs,
			stated.New("|WithPinnedRoot|: a pin is the SHA-256 thumbprint of the root key (RFC 7638), "+
				"43 characters of base64url; copy it as the issuer prints it"),
		)
	}
	if c.maxStale < minStale || c.maxStale > maxStale {
		errs = append(errs, stated.New("|WithMaxStale|: %v must be between %v and %v", c.maxStale, minStale, maxStale))
	}
	if c.timeout < minTimeout || c.timeout > maxTimeout {
		errs = append(errs, stated.New("|WithTimeout|: %v must be between %v and %v", c.timeout, minTimeout, maxTimeout))
	}
	if c.remote != "" && !c.fetches {
		errs = append(errs, stated.New("|"+c.remote+"|: nothing is fetched here; remove it"))
	}
	if c.bearers > 1 {
		errs = append(
			errs,
			stated.New("|WithBearerTokenFile| and |WithBearerTokens|: one token goes with a request; keep one of them"),
		)
	}
	if c.keys.Uses != nil && len(c.keys.Uses) == 0 {
		errs = append(errs, stated.New("|WithUses|: no use is named; name one, or leave the option out for sig"))
	}
	if c.keys.Algorithms != nil && len(c.keys.Algorithms) == 0 {
		errs = append(errs, stated.New(
			"|WithAlgorithms|: no algorithm is named, and no key would count; name one, or leave the option out"))
	}
	for _, alg := range c.keys.Algorithms {
		if !slices.Contains(jose.Algorithms(), alg) {
			errs = append(errs, stated.New("|WithAlgorithms|: %s is none of %v", quote.Text(string(alg)), jose.Algorithms()))
		}
	}
	return errors.Join(errs...)
}

// isThumbprint reports whether s is a SHA-256 thumbprint in base64url.
func isThumbprint(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && len(b) == 32 && len(s) == base64.RawURLEncoding.EncodedLen(32)
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithPinnedRoot reads the keys out of a JSON Web Token of type jwk-set+jwt, which a root key that is kept offline has
// signed: the server that hands it out cannot change it. Root is the thumbprint of that key (RFC 7638). The token
// brings the root's public key in its member root and the set in its member keys, is good for at most 24 hours, and is
// refused when it is older than one that was seen before. The keys end with it.
func WithPinnedRoot(root string) Option {
	return option{fmt.Sprintf("keyset.WithPinnedRoot(%q)", root), func(c *config) {
		if c.root = root; root == "" {
			c.root = "none" // which no thumbprint is
		}
	}}
}

// WithMaxStale bounds how long the last good set stays in force while it cannot be read. The default is 24 hours, which
// is also the most; the least is a minute.
func WithMaxStale(d time.Duration) Option {
	return option{fmt.Sprintf("keyset.WithMaxStale(%v)", d), func(c *config) { c.maxStale = d }}
}

// WithAllowEmpty takes a set without keys at its word: no key is trusted any more. By default such a set counts as a
// mistake and changes nothing.
func WithAllowEmpty() Option {
	return option{"keyset.WithAllowEmpty()", func(c *config) { c.allowEmpty = true }}
}

// WithUses lists the values that the member use of a key may have, where it has one. The default is "sig"; SPIFFE
// bundles say "jwt-svid" or "wit-svid".
func WithUses(uses ...string) Option {
	return option{
		"keyset.WithUses(" + strings.Join(uses, ", ") + ")",
		func(c *config) {
			if c.keys.Uses == nil {
				c.keys.Uses = []string{}
			}
			c.keys.Uses = append(c.keys.Uses, uses...)
		},
	}
}

// WithAlgorithms sets the algorithms that the issuer signs with, by their JWA names: "EdDSA" (also called "Ed25519"),
// "ES256", "ES384", "RS256" or "PS256". Keys for other algorithms are skipped. The default is all of these. Weaker
// algorithms and shared secrets are not supported.
//
// Keys of some providers do not say their alg. That of Ed25519, P-256 and P-384 follows from the key. An RSA key
// without alg is skipped, unless exactly one of "RS256" and "PS256" is named here, which it then is for.
func WithAlgorithms(names ...string) Option {
	return option{"keyset.WithAlgorithms(" + strings.Join(names, ", ") + ")", func(c *config) {
		if c.keys.Algorithms == nil {
			c.keys.Algorithms = []jose.Algorithm{}
		}
		for _, name := range names {
			alg, ok := jose.AlgorithmOf(name)
			if !ok {
				alg = jose.Algorithm(name) // which Check refuses
			}
			c.keys.Algorithms = append(c.keys.Algorithms, alg)
		}
	}}
}

// WithUnstatedRSA makes RSA keys that do not state their alg count as keys for RS256, with which most issuers sign,
// beside keys for every other algorithm. By default [WithAlgorithms] decides.
func WithUnstatedRSA() Option {
	return option{"keyset.WithUnstatedRSA()", func(c *config) { c.keys.UnstatedRSA = jose.RS256 }}
}

// WithTimeout bounds a fetch, which no call waits for longer than a second. The default is 5 seconds; the least is 10
// milliseconds, the most a minute.
func WithTimeout(d time.Duration) Option {
	return fetchOption(
		"WithTimeout", fmt.Sprintf("(%v)", d),
		func(c *config) { c.timeout, c.fetching.Timeout = d, d },
		d != 0,
	)
}

// WithLogger logs to l which keys come, go and are skipped, and which readings fail. By default nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return option{"keyset.WithLogger", func(c *config) {
		if l != nil {
			c.logger = l
		}
	}}
}

// WithLoopbackHTTP also accepts addresses of plain HTTP on this machine, for development.
func WithLoopbackHTTP() Option {
	return option{"keyset.WithLoopbackHTTP()", func(c *config) { c.fetching.Loopback = true }}
}

// fetchOption is an option that only makes sense where the set is fetched.
func fetchOption(name, argument string, set func(*config), given bool) Option {
	return option{"keyset." + name + argument, func(c *config) {
		if c.remote == "" {
			c.remote = name
		}
		if !given {
			c.mistakes = append(c.mistakes, stated.New("|"+name+"|: nothing is given; state it, or leave it out"))
		}
		set(c)
	}}
}

// WithCAFile sets the PEM file with the certificate authorities that verify the servers of the set and of the discovery
// document. The default is the certificate authorities of the system. The file is read before each fetch. A process
// that can write it can impersonate these servers, so it must be as safe as the file of [File].
func WithCAFile(path string) Option {
	return fetchOption(
		"WithCAFile",
		fmt.Sprintf("(%q)", path),
		func(c *config) { c.fetching.CAFile = path },
		path != "",
	)
}

// WithProxy sets an HTTP proxy for fetching, such as "http://proxy.shop.example:3128". TLS goes through the proxy to
// the server. By default there is no proxy, and proxies of the environment are not used.
func WithProxy(address string) Option {
	return fetchOption(
		"WithProxy",
		fmt.Sprintf("(%q)", address),
		func(c *config) { c.fetching.Proxy = address },
		address != "",
	)
}

// WithBearerTokenFile authenticates each fetch with the bearer token in a file (RFC 6750), which is read again before
// it, such as the token of a service account, without which the API server of Kubernetes shows no keys.
//
// The token is sent to only one origin (scheme, host and port): that of the URL, or that of the issuer. If the keys are
// on another host according to the discovery document, they are fetched from there without the token.
func WithBearerTokenFile(path string) Option {
	return fetchOption("WithBearerTokenFile", fmt.Sprintf("(%q)", path), func(c *config) {
		c.bearers++
		c.tokenFile = path
		c.fetching.Bearer = func(context.Context) (string, error) { return readTokenFile(path) }
	}, path != "")
}

func readTokenFile(path string) (string, error) {
	token, err := tokenfile.Read(path)
	if err != nil {
		return "", fmt.Errorf("token file %s: %w", path, err)
	}
	return token, nil
}

// WithBearerTokens is like [WithBearerTokenFile], with tokens from a function, such as tokens of an authorization
// server. The function is called before each fetch, within the 5 seconds of the fetch.
func WithBearerTokens(source func(context.Context) (string, error)) Option {
	return fetchOption("WithBearerTokens", "", func(c *config) {
		c.bearers++
		c.fetching.Bearer = source
	}, source != nil)
}

// WithRoundTripper sets the transport. The default verifies certificates with the roots of the system and connects
// within 2 seconds. All other limits still apply. It cannot be combined with [WithCAFile] and [WithProxy].
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"keyset.WithRoundTripper", func(c *config) { c.fetching.Transport = t }}
}
