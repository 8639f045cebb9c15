package issuer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/replays"
	"github.com/parley-rpc/parley/internal/shares"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Issuer is an OAuth 2.0 authorization server for services: an [http.Handler] with a token endpoint (/token), its key
// set (/jwks.json) and its metadata (RFC 8414 and OpenID Connect Discovery). It is safe for concurrent use. [New] makes
// one.
//
// Requests have at most 32 KiB. Answers of the token endpoint are never cached. Errors are those of RFC 6749 section
// 5.2. They describe the mistake in a request, but never contain the reason why an assertion or a user's token was
// refused, which is in the audit log. A service that sends too many requests gets the status 429. The status 503 means
// that the same request may succeed later.
//
// A request for a token waits for the registry and for the keys of the login service for at most 5 seconds. Set a
// ReadTimeout on the http.Server to limit slow clients.
type Issuer struct {
	name      string
	keys      *Keys
	registry  Registry
	config    config
	text      string
	configErr error

	meter   *shares.Meter[string]
	refused refusals
	replays *replays.Memory[string, string]
	turn    turnstile.Turnstile // limits concurrent verifications of signatures
	users   *users              // nil without a login service

	identities *identities // nil if it issues no identity tokens
	signedSets []signedSet // by the root, sorted by time

	handlers map[string]http.HandlerFunc // by path
}

// New returns an issuer. Name is its HTTPS URL, without query and fragment. It is the iss of its tokens, byte for byte,
// and the issuer must be reachable at that URL. The paths of its endpoints follow it.
//
// New does no I/O and starts no goroutines. [Issuer.Check] returns the mistakes in the arguments. An issuer with a
// mistake answers every request with 503.
func New(name string, keys *Keys, registry Registry, opts ...Option) *Issuer {
	is := &Issuer{
		name: name, keys: keys, registry: registry, refused: newRefusals(),
		replays: replays.New[string, string](replayMemory, maxAssertions), turn: turnstile.New(), config: config{
			logger: slog.New(slog.DiscardHandler), life: defaultTokenLife, transactionLife: defaultTransactionLife,
			rate: defaultRate, burst: defaultBurst, identityLife: wire.MaxIdentityLifetime,
		},
	}
	is.text = fmt.Sprintf("issuer.New(%q", name)
	for _, o := range opts {
		if o != nil {
			o.apply(&is.config)
			is.text += ", " + o.String()
		}
	}
	is.text += ")"
	is.configErr = is.check()
	if is.configErr == nil && len(is.config.logins) == 1 {
		is.users, is.configErr = newUsers(is.config.logins[0], &is.config, is.turn)
	}
	if is.configErr == nil {
		is.identities, is.configErr = newIdentities(name, &is.config, registry, is.turn)
	}
	if is.configErr == nil {
		is.signedSets, is.configErr = readSignedSets(is.config.signedSets)
	}
	if is.configErr == nil {
		is.meter = shares.NewMeter[string](is.config.rate, is.config.burst)
		is.handlers = is.routes()
	}
	return is
}

func (is *Issuer) check() error {
	c := &is.config
	var errs []error
	wrong := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("issuer: New: "+format, args...))
		}
	}
	if err := httpdoc.New(httpdoc.Options{Loopback: c.loopback}).CheckURL(is.name); err != nil {
		errs = append(errs, fmt.Errorf("issuer: New: name: %w", err))
	}
	wrong(strings.ContainsAny(is.name, "?#"),
		"name %s has a query or a fragment; an issuer has neither (RFC 8414 section 2)", quote.Text(is.name))
	errs = append(errs, is.keys.check())
	wrong(is.registry == nil, "there is no registry; make one with NewStatic")
	if static, ok := is.registry.(*Static); ok && static != nil {
		errs = append(errs, static.Check())
	}
	wrong(c.stateful && c.state == nil, "WithState: the state is nil; pass the one that OpenState returned")
	wrong(is.keys != nil && is.keys.stored && (c.state == nil || c.state.keys != is.keys),
		"the keys are those of a State; pass the same State with WithState")
	wrong(len(c.logins) > 1, "WithLogin is there twice; an issuer takes the word of one login service, so keep one")
	_, domainErr := principal.ParseTrustDomain(c.domain)
	wrong(c.transactions && domainErr != nil, "WithTransactions: %s is no trust domain such as shop.example",
		quote.Text(c.domain))
	wrong(c.transactions && len(c.logins) == 0,
		"WithTransactions: no login service is named whose users could have transactions; name it WithLogin")
	wrong(c.life < minLife || c.life > maxTokenLife, "WithTokenLifetime(%v): must be between %v and %v", c.life, minLife,
		maxTokenLife)
	wrong(c.transactionLife < minLife || c.transactionLife > maxTransactionLife,
		"WithTransactionLifetime(%v): must be between %v and %v", c.transactionLife, minLife, maxTransactionLife)
	wrong(c.identityLife < minIdentityLife || c.identityLife > wire.MaxIdentityLifetime,
		"WithIdentityLifetime(%v): must be between %v and %v", c.identityLife, minIdentityLife, wire.MaxIdentityLifetime)
	wrong(c.rate < 1 || c.rate > maxRate || c.burst < 1 || c.burst > maxRate,
		"WithRate(%d, %d): both must be between 1 and %d", c.rate, c.burst, maxRate)
	return errors.Join(errs...)
}

// String returns the Go expression that made the issuer.
func (is *Issuer) String() string { return is.text }

// Check returns every mistake in the arguments, joined, including those of a [Static] registry. Like the first request,
// it starts keeping the keys of the login service and of authorities fresh.
func (is *Issuer) Check() error {
	if is.configErr == nil {
		is.begin()
	}
	return is.configErr
}

// begin starts the goroutines that Close ends. Its errors are always configuration errors.
func (is *Issuer) begin() {
	for _, keys := range is.fetched() {
		_ = keys.Check()
	}
}

// fetched are the keys of others that the issuer keeps fresh.
func (is *Issuer) fetched() []*keyset.Set {
	var sets []*keyset.Set
	if is.users != nil {
		sets = append(sets, is.users.keys)
	}
	for _, b := range is.config.authorities {
		if b.Keys != nil {
			sets = append(sets, b.Keys)
		}
	}
	return sets
}

// Close stops keeping the keys of the login service and of authorities fresh. After that, their tokens are refused. It
// may be called several times.
func (is *Issuer) Close() error {
	var errs []error
	for _, keys := range is.fetched() {
		errs = append(errs, keys.Close())
	}
	return errors.Join(errs...)
}

// ServeHTTP serves the endpoints of the issuer.
func (is *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if is.configErr != nil {
		is.refuse(w, r, caller{}, unavailable(is.configErr))
		return
	}
	is.begin()
	serve := is.handlers[r.URL.Path]
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	serve(w, r)
}
