package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/jose"
)

// KeySetOption changes how a [KeySet] is read. It prints itself.
type KeySetOption interface {
	fmt.Stringer
	applyKeySet(*keySetConfig)
}

type keySetConfig struct {
	root      string
	loopback  bool
	transport http.RoundTripper
	maxStale  time.Duration
	empty     bool
	keys      jose.SetProfile
	logger    *slog.Logger
}

func (c *keySetConfig) client() *httpdoc.Client {
	return httpdoc.New(httpdoc.Options{Transport: c.transport, Loopback: c.loopback})
}

func (c *keySetConfig) check() error {
	var errs []error
	if c.root != "" && !isThumbprint(c.root) {
		errs = append(errs, errors.New("WithPinnedRoot: a pin is the SHA-256 thumbprint of the root key (RFC 7638), 43 characters of base64url"))
	}
	if c.maxStale < minStale || c.maxStale > maxStale {
		errs = append(errs, fmt.Errorf("WithMaxStale(%v): must be between %v and %v", c.maxStale, minStale, maxStale))
	}
	if c.keys.Algorithms != nil && len(c.keys.Algorithms) == 0 {
		errs = append(errs, errors.New("WithAlgorithms: no algorithm is named, and no key would count"))
	}
	for _, alg := range c.keys.Algorithms {
		if !slices.Contains(jose.Algorithms(), alg) {
			errs = append(errs, fmt.Errorf("WithAlgorithms: %s is none of %v", quote(string(alg)), jose.Algorithms()))
		}
	}
	return errors.Join(errs...)
}

type keySetOption struct {
	text string
	set  func(*keySetConfig)
}

func (o keySetOption) String() string              { return o.text }
func (o keySetOption) applyKeySet(c *keySetConfig) { o.set(c) }

// WithPinnedRoot reads the keys out of a JSON Web Token of type jwk-set+jwt, which a root key that is kept offline has signed:
// whoever serves it cannot change it. Root is the thumbprint of that key (RFC 7638). The token brings the root's public key in
// its member root and the set in its member keys, is good for at most 24 hours, and is not taken when it is older than one that
// was seen before. The keys end with it.
func WithPinnedRoot(root string) KeySetOption {
	return keySetOption{fmt.Sprintf("auth.WithPinnedRoot(%q)", root), func(c *keySetConfig) {
		if c.root = root; root == "" {
			c.root = "none" // which no thumbprint is
		}
	}}
}

// WithMaxStale bounds how long the last good set stays in force while it cannot be read. The default is 24 hours, which is
// also the most; the least is a minute.
func WithMaxStale(d time.Duration) KeySetOption {
	return keySetOption{fmt.Sprintf("auth.WithMaxStale(%v)", d), func(c *keySetConfig) { c.maxStale = d }}
}

// WithEmptyKeySet takes a set without keys for what it says: nobody is trusted any more. By default such a set is taken for a
// mistake and changes nothing.
func WithEmptyKeySet() KeySetOption {
	return keySetOption{"auth.WithEmptyKeySet()", func(c *keySetConfig) { c.empty = true }}
}

// WithKeyUses says what the member use of a key may be, where it has one. The default is "sig"; SPIFFE bundles say "jwt-svid" or
// "wit-svid".
func WithKeyUses(uses ...string) KeySetOption {
	return keySetOption{"auth.WithKeyUses(" + strings.Join(uses, ", ") + ")", func(c *keySetConfig) { c.keys.Uses = append(c.keys.Uses, uses...) }}
}

// WithAlgorithms says with which algorithms the issuer signs, by their JWA names: "EdDSA" (also called "Ed25519"), "ES256", "ES384",
// "RS256" or "PS256". A key for another is skipped. The default is all of them, and there are no others: none with a shared
// secret, and none that is weaker.
//
// Keys of some providers do not say their alg. That of Ed25519, P-256 and P-384 follows from the key. An RSA key without alg is
// skipped, unless exactly one of "RS256" and "PS256" is named here, which it then is for.
func WithAlgorithms(names ...string) KeySetOption {
	return keySetOption{"auth.WithAlgorithms(" + strings.Join(names, ", ") + ")", func(c *keySetConfig) {
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

// WebOption is an option of whatever is fetched over HTTPS. It prints itself.
type WebOption interface {
	KeySetOption
	ClientCredentialsOption
}

type webOption struct {
	text string
	keys func(*keySetConfig)
	cc   func(*clientCredentialsConfig)
}

func (o webOption) String() string                                    { return o.text }
func (o webOption) applyKeySet(c *keySetConfig)                       { o.keys(c) }
func (o webOption) applyClientCredentials(c *clientCredentialsConfig) { o.cc(c) }

// WithLoopbackHTTP also takes addresses of plain HTTP on this machine, for development.
func WithLoopbackHTTP() WebOption {
	return webOption{
		"auth.WithLoopbackHTTP()",
		func(c *keySetConfig) { c.loopback = true },
		func(c *clientCredentialsConfig) { c.loopback = true },
	}
}

// WithRoundTripper lets t do the exchanges, in the place of a transport that verifies certificates by the roots of the system
// and takes 2 seconds at most to connect. All other limits remain.
func WithRoundTripper(t http.RoundTripper) WebOption {
	return webOption{
		"auth.WithRoundTripper",
		func(c *keySetConfig) { c.transport = t },
		func(c *clientCredentialsConfig) { c.transport = t },
	}
}

// thumbprintLength is the length of a SHA-256 thumbprint in base64url.
const thumbprintLength = 43

func isThumbprint(s string) bool {
	if len(s) != thumbprintLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func trimList(text string) string { return strings.TrimSuffix(text, ", ") }
