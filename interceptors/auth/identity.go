package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Identity is one workload: its ID, its key, and the trust that says which key belongs to whom. It yields what clients and
// servers need, and is safe for concurrent use. Make one with [TrustDir] or [Issued], and [Identity.Close] it when its clients
// and servers are gone.
//
// A key file that is replaced is noticed within 2 seconds. Once it is vouched for, the new key makes all proofs and tokens from
// then on; until then, and when the file makes no sense, the old key stays in use and the log says why.
type Identity struct {
	self    principal.ID
	dir     string
	issued  *issued // nil with a trust directory
	options []string
	config  config
	log     *slog.Logger
	flaw    error // what is wrong with the arguments

	audiences []string // of the proofs that others make for it

	sessions conn.Sessions
	channels channelSet
	tally    tally
	refused  refusals

	ready atomic.Pointer[core] // set by the first Check without error
	known atomic.Uint64        // the trust generation that everything was told of

	mu       sync.Mutex
	closed   bool
	failure  error // of the last Check that nobody asked for
	failedAt time.Time
	gates    []*Gate
	renewal  *renewal

	keyState keyFileState // belongs to the goroutine of renewal
}

// core is what an Identity needs from outside of the process.
type core struct {
	key     *jose.PrivateKey
	token   string    // workload identity token; empty with a trust directory
	expires time.Time // of the token; zero without one
	trust   verify.Trust
}

// ErrClosed is what a closed [Identity] answers.
var ErrClosed = errors.New("auth: the Identity is closed")

// TrustDir returns the identity of the workload self, whose key lies in a file and whose trust is the directory dir:
//
//	<dir>/trust/<trust domain>/<service>.<thumbprint>.json   the public key of a workload
//	<dir>/revoked/<thumbprint>                               a key that is not to be trusted, whatever else lies there
//	<dir>/keys/<trust domain>/<service>.jwk                  the private key, unless WithKeyFile names another place
//
// Write access to the directory is the power to be any service, so it and its ancestors must belong to root or to the user
// of this process and must be writable by nobody else. It is read again every 2 seconds: a key that disappears is no longer
// trusted, and connections of its owner end.
//
// TrustDir does no I/O. [Identity.Check] does; without it the first connection does, and is refused if anything is wrong.
func TrustDir(dir string, self principal.ID, opts ...Option) *Identity {
	i := newIdentity(self, opts)
	i.dir = dir
	if i.config.keyFile == "" {
		i.config.keyFile = keyFile(dir, self)
	}
	i.flaw = i.checkArguments()
	return i
}

func newIdentity(self principal.ID, opts []Option) *Identity {
	i := &Identity{
		self:    self,
		refused: newRefusals(),
		config:  config{algorithm: jose.EdDSA, logger: slog.New(warnings{slog.Default().Handler()}), connectionAge: maxConnectionAge},
	}
	for _, o := range opts {
		if o != nil {
			o.apply(&i.config)
			i.options = append(i.options, o.String())
		}
	}
	i.audiences = []string{self.String()}
	i.sessions.Ended = i.auditEnd
	i.log = i.config.logger.With(slog.String("self", self.String()))
	return i
}

// keyFile is where the private key of a workload lies by default. A service of several segments has its slashes replaced
// by "+", which no ID contains.
func keyFile(dir string, id principal.ID) string {
	return filepath.Join(dir, "keys", id.TrustDomain().String(), strings.ReplaceAll(id.Service(), "/", "+")+".jwk")
}

func (i *Identity) checkArguments() error {
	var errs []error
	if i.self.IsZero() {
		errs = append(errs, fmt.Errorf("auth: %s: the identity has no ID; make one with ParseID or TrustDomain.ID", i.maker()))
	}
	if i.issued != nil {
		errs = append(errs, i.checkIssued()...)
	} else if i.dir == "" {
		errs = append(errs, errors.New("auth: TrustDir: no directory is named; name the one that holds the trusted keys"))
	}
	if age := i.config.connectionAge; age < minConnectionAge || age > maxConnectionAge {
		errs = append(errs, fmt.Errorf("auth: WithMaxConnectionAge(%v): must be between %v and %v", age, minConnectionAge, maxConnectionAge))
	}
	if slices.ContainsFunc(i.config.domains, principal.TrustDomain.IsZero) {
		errs = append(errs, errors.New("auth: WithAcceptDomains: a trust domain is empty; make it with ParseTrustDomain"))
	}
	return errors.Join(errs...)
}

// ID is the workload's ID.
func (i *Identity) ID() principal.ID { return i.self }

// String names the identity with its options.
func (i *Identity) String() string {
	text := fmt.Sprintf("auth.%s(%q, %s", i.maker(), i.dir, i.self)
	if i.issued != nil {
		text = fmt.Sprintf("auth.%s(%s, %v, %v", i.maker(), i.self, i.issued.source, i.issued.issuers)
	}
	for _, o := range i.options {
		text += ", " + o
	}
	return text + ")"
}

// maker is the function that made the identity.
func (i *Identity) maker() string {
	if i.issued != nil {
		return "Issued"
	}
	return "TrustDir"
}

// Check reads the key and the trust directory, starts to watch the directory, and returns every mistake, joined: wrong
// arguments, a missing or readable key file, wrong owners and modes, a key that the directory does not know under this
// ID. Once it has returned nil it does nothing more. With [WithEnroll] it makes and publishes the key.
func (i *Identity) Check() error {
	if i.ready.Load() != nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.load()
}

// load runs with the lock held.
func (i *Identity) load() error {
	switch {
	case i.closed:
		return ErrClosed
	case i.ready.Load() != nil:
		return nil
	case i.flaw != nil:
		return i.flaw
	}
	c, err := i.open()
	if err != nil {
		return err
	}
	i.ready.Store(c)
	i.startRenewal()
	return nil
}

// usable returns what a connection needs. It checks the identity if nobody did, at most once a second if that fails.
func (i *Identity) usable(ctx context.Context) (*core, error) {
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

// anchor returns the trust of the identity.
func (i *Identity) anchor() (verify.Trust, error) {
	c, err := i.usable(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrKeysUnavailable, err)
	}
	return c.trust, nil
}

// Client returns a client's side of one channel: connections to servers that prove one of the expected IDs. An empty set
// is an error of Check and of every call. Make one for each grpc.ClientConn.
func (i *Identity) Client(expected ...principal.Pattern) *Channel {
	return newChannel(i, expected, nil)
}

// Channel is Client with options, see [WithMode].
func (i *Identity) Channel(expected []principal.Pattern, opts ...ChannelOption) *Channel {
	return newChannel(i, expected, opts)
}

// DialOptions returns the options of one grpc.ClientConn, as [Channel.DialOptions] of a new [Channel] does. They belong
// behind those of other interceptors, because auth is the innermost one.
func (i *Identity) DialOptions(expected ...principal.Pattern) []grpc.DialOption {
	return i.Client(expected...).DialOptions()
}

// Server returns a server's side, which lets callers in by the policies of t. A nil t stands for policy.FromProto().
func (i *Identity) Server(t *policy.Table, opts ...ServerOption) *Gate {
	g := newGate(i, t, opts)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gates = append(i.gates, g)
	if i.closed {
		g.close()
	}
	return g
}

// ServerOptions returns the options of one grpc.Server, as [Gate.ServerOptions] of a new [Gate] does.
func (i *Identity) ServerOptions(t *policy.Table, opts ...ServerOption) []grpc.ServerOption {
	return i.Server(t, opts...).ServerOptions()
}

// Close ends every connection of the identity and stops watching the trust directory. Clients and servers of a closed
// identity refuse everything. Closing twice is harmless.
func (i *Identity) Close() error {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	i.closed = true
	i.failure = ErrClosed
	gates := i.gates
	c := i.ready.Load()
	i.ready.Store(nil)
	renewal := i.renewal
	i.mu.Unlock()
	renewal.stop()

	i.sessions.Close("the close of the identity")
	for _, g := range gates {
		g.close()
	}
	if i.issued != nil {
		i.issued.release()
	}
	if c == nil {
		return nil
	}
	return c.trust.Close()
}

// accepts tells whether workloads of the trust domain are let in at all.
func (i *Identity) accepts(d principal.TrustDomain) bool {
	return !d.IsZero() && (d == i.self.TrustDomain() || slices.Contains(i.config.domains, d))
}

// trustChanged tells everything that lives on the trust that it is another one.
func (i *Identity) trustChanged(generation uint64) {
	if i.known.Swap(generation) == generation {
		return
	}
	i.auditTrust(generation, i.sessions.EndUntrusted())
	for _, c := range i.channels.all() {
		c.trustChanged()
	}
}
