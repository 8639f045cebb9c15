package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// workload is what an [Identity] is to its clients and servers: an ID, a key, and the trust that says which key belongs
// to whom. It knows of them only what it must tell them.
type workload struct {
	self      principal.ID
	kind      kind
	options   []string
	config    config
	log       *slog.Logger
	configErr error // what is wrong with the arguments

	audiences []string // of the proofs that others make for it

	sessions  conn.Sessions
	followers followers
	counters  counters
	refused   refusals

	ready atomic.Pointer[ownCredentials] // set by the first Check without error
	known atomic.Uint64                  // the trust generation that everything was told of

	mu       sync.Mutex
	closed   bool
	failure  error // of the last Check that nobody asked for
	failedAt time.Time
	servers  []server
	renewal  *renewal

	keyState keyFileState // belongs to the goroutine of renewal
}

// config is what options change of a workload.
type config struct {
	keyFile       string
	signer        crypto.Signer
	enroll        bool
	algorithm     jose.Algorithm
	logger        *slog.Logger
	domains       []principal.TrustDomain
	connectionAge time.Duration
}

// kind is what a workload's trust rests on.
type kind interface {
	// describe returns the function that makes such an identity, and what it was given beside options.
	describe(w *workload) (maker, arguments string)
	// check returns the mistakes in what it was given.
	check(w *workload) []error
	// open reads what the workload needs from outside of the process, and begins to keep it fresh.
	open(w *workload) (*ownCredentials, error)
	// renew returns what to use from now on in the place of c, or nil when nothing has changed. The error says why what
	// is new is not used.
	renew(ctx context.Context, w *workload, c *ownCredentials) (*ownCredentials, error)
	// issuers are those who vouch for workloads, none with a trust directory.
	issuers() []IdentityIssuer
	// release ends what the identity made for itself.
	release()
}

// server is a server of the workload.
type server interface {
	close()
	// keys are those of the issuers whose tokens it takes.
	keys() []namedKeys
}

// namedKeys are the keys of an issuer.
type namedKeys struct {
	issuer string
	keys   *keyset.Set
}

// ownCredentials are the key, the identity token and the trust of a workload.
type ownCredentials struct {
	key     *jose.PrivateKey
	token   string    // workload identity token; empty with a trust directory
	expires time.Time // of the token; zero without one
	trust   verify.Trust
}

// ErrClosed is the error of a closed [Identity].
var ErrClosed = errors.New("auth: the Identity is closed")

// keyFile is where the private key of a workload lies by default. A service of several segments has its slashes
// replaced by "+", which no ID contains.
func keyFile(dir string, id principal.ID) string {
	return filepath.Join(dir, "keys", id.TrustDomain().String(), strings.ReplaceAll(id.Service(), "/", "+")+".jwk")
}

// ID is the workload's ID.
func (i *workload) ID() principal.ID { return i.self }

// Check reads the key and the trust directory, starts to watch the directory, and returns every mistake, joined: wrong
// arguments, a missing or readable key file, wrong owners and modes, a key that the directory does not know under this
// ID. Once it has returned nil it does nothing more. With [WithEnroll] it makes and publishes the key.
func (i *workload) Check() error {
	if i.ready.Load() != nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.load()
}

// load runs with the lock held.
func (i *workload) load() error {
	switch {
	case i.closed:
		return ErrClosed
	case i.ready.Load() != nil:
		return nil
	case i.configErr != nil:
		return i.configErr
	}
	c, err := i.kind.open(i)
	if err != nil {
		return err
	}
	i.ready.Store(c)
	i.startRenewal()
	return nil
}

// usable returns what a connection needs. It checks the identity if nobody did, at most once a second if that fails.
func (i *workload) usable(ctx context.Context) (*ownCredentials, error) {
	if c := i.ready.Load(); c != nil {
		return c, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failure == nil || time.Since(i.failedAt) >= checkInterval {
		i.failure, i.failedAt = i.load(), time.Now()
		if i.failure != nil {
			i.log.LogAttrs(ctx, slog.LevelError, "parley: identity not usable", slog.String("cause", i.failure.Error()))
		}
	}
	if i.failure != nil {
		return nil, i.failure
	}
	return i.ready.Load(), nil
}

// currentTrust returns the trust of the identity.
func (i *workload) currentTrust() (verify.Trust, error) {
	c, err := i.usable(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrKeysUnavailable, err)
	}
	return c.trust, nil
}

// accepts reports whether workloads of the trust domain are let in at all.
func (i *workload) accepts(d principal.TrustDomain) bool {
	return !d.IsZero() && (d == i.self.TrustDomain() || slices.Contains(i.config.domains, d))
}

// trustChanged tells everything that lives on the trust that it is another one.
func (i *workload) trustChanged(generation uint64) {
	if i.known.Swap(generation) == generation {
		return
	}
	i.auditTrust(generation, i.sessions.EndUntrusted())
}

// Close ends every connection of the identity and stops watching the trust directory. Clients and servers of a closed
// identity refuse everything. Closing twice is harmless.
func (i *workload) Close() error {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	i.closed = true
	i.failure = ErrClosed
	servers := i.servers
	c := i.ready.Load()
	i.ready.Store(nil)
	renewal := i.renewal
	i.mu.Unlock()
	renewal.stop()

	i.sessions.Close("the close of the identity")
	for _, s := range servers {
		s.close()
	}
	i.kind.release()
	if c == nil {
		return nil
	}
	return c.trust.Close()
}

func (i *workload) checkArguments() error {
	maker, _ := i.kind.describe(i)
	var errs []error
	if i.self.IsZero() {
		errs = append(errs, fmt.Errorf("auth: %s: the identity has no ID; make one with ParseID or TrustDomain.ID", maker))
	}
	errs = append(errs, i.kind.check(i)...)
	if age := i.config.connectionAge; age < minConnectionAge || age > maxConnectionAge {
		errs = append(errs, stated.Within("auth", stated.New(
			"|WithMaxConnectionAge|: %v must be between %v and %v", age, minConnectionAge, maxConnectionAge)))
	}
	if slices.ContainsFunc(i.config.domains, principal.TrustDomain.IsZero) {
		errs = append(errs, errors.New("auth: WithAcceptDomains: a trust domain is empty; make it with ParseTrustDomain"))
	}
	return errors.Join(errs...)
}

// String names the identity with its options.
func (i *workload) String() string {
	maker, arguments := i.kind.describe(i)
	text := "auth." + maker + "(" + arguments
	for _, o := range i.options {
		text += ", " + o
	}
	return text + ")"
}

// Ready waits until the identity can be used: it passes Check, and the keys of all issuers are available. If ctx ends
// before, the error lists the missing parts.
func (i *workload) Ready(ctx context.Context) error {
	if err := i.Check(); err != nil {
		return err
	}
	for _, issuer := range i.kind.issuers() {
		if err := issuer.Keys.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// errOwnTokenExpired says that the workload's own identity token has expired and that there is no other.
var errOwnTokenExpired = errors.New(
	"auth: the own identity token has expired, and its source has no other; see why nobody renews it",
)

// hello makes the body of a hello frame that proves the identity.
func (c *ownCredentials) hello(
	ctx context.Context, self principal.ID, p wire.Proof, turn turnstile.Turnstile,
) ([]byte, error) {
	if turn != nil {
		if err := turn.Enter(ctx, verify.SignatureWait); err != nil {
			return nil, err
		}
		defer turn.Leave()
	}
	now := time.Now()
	if c.expired(now) {
		return nil, errOwnTokenExpired
	}
	p.IdentityHash = wire.HashOfToken(c.token)
	signed, err := p.Sign(c.key, self, now)
	if err != nil {
		return nil, err
	}
	return wire.AppendHello(nil, wire.Hello{Token: c.token, Proof: signed})
}

// expired reports whether the own identity token has expired, with which nothing can be proven any more.
func (c *ownCredentials) expired(now time.Time) bool {
	return !c.expires.IsZero() && !now.Before(c.expires)
}
