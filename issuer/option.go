package issuer

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Option configures an [Issuer]. Its String method returns the Go expression that made it.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	logger          *slog.Logger
	life            time.Duration
	transactionLife time.Duration
	domain          string
	transactions    bool
	logins          []Login
	identities      int // how often they were stated
	identityDomain  string
	identityLife    time.Duration
	authorities     []Bootstrap
	signedSets      []string
	rate, burst     int
	loopback        bool
	transport       http.RoundTripper
	state           *State
	stateful        bool
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithLogin accepts the access tokens of users of a login service for exchange. By default, users' tokens are refused.
// The option may be used once: if two login services had a user alice, a token could not distinguish them.
func WithLogin(login Login) Option {
	return option{fmt.Sprintf("issuer.WithLogin(%q)", login.Name), func(c *config) { c.logins = append(c.logins, login) }}
}

// WithTransactions enables transaction tokens for a trust domain, such as "shop.example". The issuer must be the only
// one for this trust domain. By default they are disabled.
func WithTransactions(domain string) Option {
	return option{
		fmt.Sprintf("issuer.WithTransactions(%q)", domain), func(c *config) { c.transactions, c.domain = true, domain },
	}
}

// WithTransactionLifetime sets how long a transaction token is valid, from 1 second to 5 minutes. The default is 2
// minutes.
func WithTransactionLifetime(d time.Duration) Option {
	return option{fmt.Sprintf("issuer.WithTransactionLifetime(%v)", d), func(c *config) { c.transactionLife = d }}
}

// WithTokenLifetime sets how long an access token is valid, from 1 second to 1 hour. The default is 10 minutes.
func WithTokenLifetime(d time.Duration) Option {
	return option{fmt.Sprintf("issuer.WithTokenLifetime(%v)", d), func(c *config) { c.life = d }}
}

// WithRate limits the number of tokens that each service may request: perSecond on average, and burst at once. The
// defaults are 20 and 100. Further requests are refused with the status 429.
func WithRate(perSecond, burst int) Option {
	return option{
		fmt.Sprintf("issuer.WithRate(%d, %d)", perSecond, burst), func(c *config) { c.rate, c.burst = perSecond, burst },
	}
}

// WithSignedKeySets serves the key sets that [SignKeySet] has made, at /jwks.jwt, for verifiers that pin the root. Of
// several, the one is served whose time has come last. While there is none, the answer is the status 503, and verifiers
// use what they have for 24 hours. By default there are none, and the path does not exist.
func WithSignedKeySets(sets ...string) Option {
	return option{fmt.Sprintf("issuer.WithSignedKeySets(%d sets)", len(sets)), func(c *config) {
		c.signedSets = append(c.signedSets, sets...)
	}}
}

// WithLogger sets the logger of the audit log. It logs each issued token, and each refused request with the full
// reason, which the client does not learn. The default logs nothing.
func WithLogger(l *slog.Logger) Option {
	return option{"issuer.WithLogger", func(c *config) {
		if l != nil {
			c.logger = l
		}
	}}
}

// WithLoopbackHTTP allows plain HTTP to a loopback address in the name of the issuer and for the keys of the login
// service, for development.
func WithLoopbackHTTP() Option {
	return option{"issuer.WithLoopbackHTTP()", func(c *config) { c.loopback = true }}
}

// WithRoundTripper sets the transport that fetches the keys of the login service. The default verifies certificates
// with the roots of the system and connects within 2 seconds. All other limits still apply.
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"issuer.WithRoundTripper", func(c *config) { c.transport = t }}
}

// WithState makes used assertions and revocations survive a restart. Each assertion is stored before it is answered,
// and a revoked client or key gets no token. While the store does not work, every request for a token is refused with
// 503. By default, used assertions are remembered in the memory of the process, and nothing is revoked.
func WithState(s *State) Option {
	return option{"issuer.WithState", func(c *config) { c.state, c.stateful = s, true }}
}
