package keyset

import (
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
)

// Option changes how a [Set] is read. It prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	root       string
	loopback   bool
	transport  http.RoundTripper
	maxStale   time.Duration
	allowEmpty bool
	keys       jose.SetProfile
	logger     *slog.Logger
	random     func() float64 // in [0, 1), for jitter
}

func (c *config) client() *httpdoc.Client {
	return httpdoc.New(httpdoc.Options{Transport: c.transport, Loopback: c.loopback})
}

func (c *config) check() error {
	var errs []error
	if c.root != "" && !isThumbprint(c.root) {
		errs = append(
			errs,
			errors.New("WithPinnedRoot: a pin is the SHA-256 thumbprint of the root key (RFC 7638), 43 characters of base64url; copy it as the issuer prints it"),
		)
	}
	if c.maxStale < minStale || c.maxStale > maxStale {
		errs = append(errs, fmt.Errorf("WithMaxStale(%v): must be between %v and %v", c.maxStale, minStale, maxStale))
	}
	if c.keys.Algorithms != nil && len(c.keys.Algorithms) == 0 {
		errs = append(errs, errors.New("WithAlgorithms: no algorithm is named, and no key would count; name one, or leave the option out"))
	}
	for _, alg := range c.keys.Algorithms {
		if !slices.Contains(jose.Algorithms(), alg) {
			errs = append(errs, fmt.Errorf("WithAlgorithms: %s is none of %v", quote.Text(string(alg)), jose.Algorithms()))
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
		func(c *config) { c.keys.Uses = append(c.keys.Uses, uses...) },
	}
}

// WithAlgorithms says with which algorithms the issuer signs, by their JWA names: "EdDSA" (also called "Ed25519"),
// "ES256", "ES384", "RS256" or "PS256". A key for another is skipped. The default is all of them, and there are no
// others: none with a shared secret, and none that is weaker.
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
	return option{"keyset.WithLoopbackHTTP()", func(c *config) { c.loopback = true }}
}

// WithRoundTripper makes t do the requests, in the place of a transport that verifies certificates by the roots of the
// system and takes 2 seconds at most to connect. All other limits remain.
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"keyset.WithRoundTripper", func(c *config) { c.transport = t }}
}
