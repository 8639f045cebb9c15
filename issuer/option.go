package issuer

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Option changes how an [Issuer] is made. It prints itself.
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
	rate, burst     int
	loopback        bool
	transport       http.RoundTripper
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithLogin exchanges the access tokens of users who logged in there. By default nothing is exchanged. It may be given once:
// where two services know an alice, nobody could tell from a token which one is meant.
func WithLogin(login Login) Option {
	return option{fmt.Sprintf("issuer.WithLogin(%q)", login.Name), func(c *config) { c.logins = append(c.logins, login) }}
}

// WithTransactions makes transaction tokens for a trust domain, such as "shop.example", of which the issuer must be the only
// one to do so. By default none are made.
func WithTransactions(domain string) Option {
	return option{fmt.Sprintf("issuer.WithTransactions(%q)", domain), func(c *config) { c.transactions, c.domain = true, domain }}
}

// WithTransactionLifetime sets how long a transaction token is valid, from 1 second to 5 minutes. The default is 2 minutes.
func WithTransactionLifetime(d time.Duration) Option {
	return option{fmt.Sprintf("issuer.WithTransactionLifetime(%v)", d), func(c *config) { c.transactionLife = d }}
}

// WithTokenLifetime sets how long an access token is valid, from 1 second to 1 hour. The default is 10 minutes.
func WithTokenLifetime(d time.Duration) Option {
	return option{fmt.Sprintf("issuer.WithTokenLifetime(%v)", d), func(c *config) { c.life = d }}
}

// WithRate bounds how often each service may ask for a token: perSecond in the long run, and burst at once. The default is 20
// and 100. More is refused with the status 429.
func WithRate(perSecond, burst int) Option {
	return option{fmt.Sprintf("issuer.WithRate(%d, %d)", perSecond, burst), func(c *config) { c.rate, c.burst = perSecond, burst }}
}

// WithLogger sends the audit log to l: each token that was made, and each request that was refused, with the full reason,
// which the client does not learn. The default is silence.
func WithLogger(l *slog.Logger) Option {
	return option{"issuer.WithLogger", func(c *config) {
		if l != nil {
			c.logger = l
		}
	}}
}

// WithLoopbackHTTP allows plain HTTP to a loopback address in the name of the issuer and for the keys of the login service,
// for development.
func WithLoopbackHTTP() Option {
	return option{"issuer.WithLoopbackHTTP()", func(c *config) { c.loopback = true }}
}

// WithRoundTripper lets t fetch the keys of the login service, in the place of a transport that verifies certificates by the
// roots of the system and takes 2 seconds at most to connect. All other limits remain.
func WithRoundTripper(t http.RoundTripper) Option {
	return option{"issuer.WithRoundTripper", func(c *config) { c.transport = t }}
}
