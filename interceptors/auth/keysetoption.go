package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
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
	uses      []string
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
	return keySetOption{"auth.WithKeyUses(" + strings.Join(uses, ", ") + ")", func(c *keySetConfig) { c.uses = append(c.uses, uses...) }}
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
		if c := s[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func trimList(text string) string { return strings.TrimSuffix(text, ", ") }
