package auth

import (
	"crypto"
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/principal"
)

// Option changes how an [Identity] is made. It prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

// ServerOption changes how a server takes callers in. It prints itself.
type ServerOption interface {
	fmt.Stringer
	applyServer(*serverConfig)
}

type serverConfig struct {
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	bearer      bool
	issuers     []Issuer
	handshakes  int
	managed     ManagedTLS

	predicates         []decide.Predicate
	userIssuers        []Issuer
	users              *Users // who else vouches for users, and may change; nil for nobody
	userAuthorization  bool   // of callers in connection mode, authorization is the user's
	transactionIssuers []Issuer
	stepUp             bool
	meters             metric.MeterProvider
	ending             *plannedend.Notice
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

type serverOption struct {
	text string
	set  func(*serverConfig)
}

func (o serverOption) String() string              { return o.text }
func (o serverOption) applyServer(c *serverConfig) { o.set(c) }

// WithKeyFile names the file of the private key, a JSON Web Key with mode 0600. The default lies below the directory
// that [TrustDir] was given, outside of the public part: keys/<trust domain>/<service>.jwk.
func WithKeyFile(path string) Option {
	return option{fmt.Sprintf("auth.WithKeyFile(%q)", path), func(c *config) { c.keyFile = path }}
}

// WithSigner sets a signer for the private key, such as a key service. It replaces the key file. The key must be
// Ed25519 or P-256, and the signer safe for concurrent use. It makes a signature in each handshake, so it should answer
// within a second.
func WithSigner(s crypto.Signer) Option {
	return option{"auth.WithSigner", func(c *config) { c.signer = s }}
}

// WithEnroll lets the workload make its key, if there is none, and publish it in the trust directory by itself. It
// works only in a directory of mode 0700 that belongs to the same user, because a process that can write there can
// become any service.
func WithEnroll() Option {
	return option{"auth.WithEnroll()", func(c *config) { c.enroll = true }}
}

// WithES256 makes new keys P-256 instead of Ed25519, for places that know nothing else. Keys that exist keep their
// kind; both kinds are understood everywhere.
func WithES256() Option {
	return option{"auth.WithES256()", func(c *config) { c.algorithm = jose.ES256 }}
}

// WithLogger sends the audit log of handshakes, refusals and changes of trust to l. A refusal that repeats is logged
// once in 10 s, with how often it happened meanwhile; [Identity.Refusals] has all recent ones. The default is
// slog.Default() at the time the Identity is made, and of the audit log what is a warning or worse. Use
// slog.DiscardHandler for silence.
func WithLogger(l *slog.Logger) Option {
	return option{"auth.WithLogger", func(c *config) {
		if l != nil {
			c.logger = l
		}
	}}
}

// WithAcceptDomains accepts workloads of other trust domains, in addition to the workload's own trust domain.
func WithAcceptDomains(domains ...principal.TrustDomain) Option {
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = d.String()
	}
	return option{"auth.WithAcceptDomains(" + strings.Join(names, ", ") + ")", func(c *config) {
		c.domains = append(c.domains, domains...)
	}}
}

// WithMaxConnectionAge ends connections earlier than the default of 30 minutes. It must be between 1 second and 30
// minutes.
func WithMaxConnectionAge(d time.Duration) Option {
	return option{fmt.Sprintf("auth.WithMaxConnectionAge(%v)", d), func(c *config) { c.connectionAge = d }}
}

// WithBearer also accepts callers in token mode, and those that are not Parley: plain HTTP/2 over TLS 1.3, each call
// with a bearer token in its metadata. What protects their payload is the name in the certificate, which certificate
// yields for each connection as [tls.Config.GetCertificate] does; it must be one that they verify. Without this option
// only connection mode is spoken.
func WithBearer(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) ServerOption {
	return serverOption{"auth.WithBearer", func(c *serverConfig) { c.bearer, c.certificate = true, certificate }}
}

// WithIssuers also accepts the bearer tokens in which these issuers vouch for workloads, beside those that workloads
// sign for themselves with a key that the identity trusts. It matters only where bearer tokens are accepted, see
// [WithBearer].
func WithIssuers(issuers ...Issuer) ServerOption {
	names := make([]string, len(issuers))
	for i, issuer := range issuers {
		names[i] = issuer.Name
	}
	return serverOption{fmt.Sprintf("auth.WithIssuers(%q)", names), func(c *serverConfig) { c.issuers = append(c.issuers, issuers...) }}
}

// WithMaxHandshakes bounds the connections that have proven nothing yet: the ones in their handshake, and the ones of
// plain HTTP/2 on which no call with a good token was made so far. One more closes the oldest, so that stalled peers
// cannot keep others out. The default is 1000, or a quarter of the file descriptors that the process may have open, if
// that is less; n must be positive.
func WithMaxHandshakes(n int) ServerOption {
	return serverOption{fmt.Sprintf("auth.WithMaxHandshakes(%d)", n), func(c *serverConfig) { c.handshakes = n }}
}

// WithPlannedEnd ends the streams of a server that stops: n announces it to their handlers, and when n has ended they
// end with PLANNED_END, also those of callers that have proven nothing. A server has no such notice by default.
func WithPlannedEnd(n *plannedend.Notice) ServerOption {
	return serverOption{"auth.WithPlannedEnd", func(c *serverConfig) { c.ending = n }}
}

// WithManagedServerTLS leaves the TLS of a server to m where that has something to say. On such a connection callers
// prove themselves by bearer tokens, so it needs [WithBearer], whose source of certificates may then be nil:
// connections about which nothing is said are those of connection mode alone.
func WithManagedServerTLS(m ManagedTLS) ServerOption {
	return serverOption{"auth.WithManagedServerTLS", func(c *serverConfig) { c.managed = m }}
}
