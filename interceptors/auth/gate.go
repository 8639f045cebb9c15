package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/descriptors"
	"github.com/parley-rpc/parley/internal/replays"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Gate is the server's side: transport credentials that prove the server and its callers, and interceptors that decide
// by the policy table which caller may call what. Make one for each grpc.Server with [Identity.Server]; it ends with
// its Identity. It is safe for concurrent use.
type Gate struct {
	identity  *workload
	config    serverConfig
	options   []string
	configErr error
	server    decide.Server // what the policies are compiled for
	view      *policy.View[*decide.Policy]
	waiting   conn.WaitingRoom
	turn      turnstile.Turnstile
	bearer    *verify.Verifier
	proofs    *issuedProofs
	static    *verify.Verifier // of the users of WithUserIssuers; nil where nobody vouches for users
	userSet   atomic.Pointer[userSet]
	// Of transaction tokens; nil where nobody makes them.
	transactions *verify.Verifier
	refusals     metric.Int64Counter
	replays      *replays.Memory[principal.ID, string]
	tls          func() (*tls.Config, error)
	managed      credentials.TransportCredentials // nil where nobody manages the TLS of the server
	stops        []func()
	streams      runningStreams
	metadataKey  any // under which gRPC keeps the metadata received
}

func newGate(i *workload, t *policy.Table, opts []ServerOption) *Gate {
	g := &Gate{
		identity: i, config: serverConfig{handshakes: descriptors.Share(maxHandshakes)}, turn: turnstile.New(),
		proofs: newIssuedProofs(), replays: replays.New[principal.ID, string](replayMemory, maxSeenProofs),
	}
	g.metadataKey = metadataKey()
	for _, o := range opts {
		if o != nil {
			o.applyServer(&g.config)
			g.options = append(g.options, o.String())
		}
	}
	g.server = g.describeServer()
	if t == nil {
		t = policy.FromProto()
	}
	g.view = policy.NewView(t, g.compile)
	g.waiting.Room = g.config.handshakes
	g.tls = sync.OnceValues(g.makeTLS)
	g.configErr = g.checkOptions()
	g.watchIssuers()
	g.stops = append(g.stops, g.view.Listen(g.judgeAnew))
	return g
}

// watchIssuers lets a change of an issuer's keys end what rests on them at once.
func (g *Gate) watchIssuers() {
	for _, issuer := range slices.Concat(g.config.issuers, g.config.userIssuers, g.config.transactionIssuers) {
		if issuer.Keys != nil {
			g.stops = append(g.stops, issuer.Keys.Listen(func(uint64) { g.identity.sessions.EndUntrusted() }))
		}
	}
}

// Close ends the gate before its Identity ends. The gate then refuses every call. Closing twice is harmless.
func (g *Gate) Close() {
	g.identity.mu.Lock()
	g.identity.servers = slices.DeleteFunc(slices.Clone(g.identity.servers), func(other server) bool { return other == server(g) })
	g.identity.mu.Unlock()
	g.close()
}

// keys are those of the issuers whose tokens the server takes.
func (g *Gate) keys() (list []namedKeys) {
	for _, issuer := range g.config.issuers {
		list = append(list, namedKeys{issuer.Name, issuer.Keys})
	}
	return list
}

func (g *Gate) close() {
	g.view.Close()
	for _, stop := range g.stops {
		stop()
	}
}

func (g *Gate) checkOptions() error {
	var err error
	g.bearer, err = g.newBearerVerifier(g.acceptBearer)
	errs := []error{err, g.makeUserVerifiers(), g.makeCounter(), g.server.Check()}
	if g.config.handshakes < 1 {
		errs = append(errs, fmt.Errorf("auth: WithMaxHandshakes(%d): must be positive; leave it out for the default", g.config.handshakes))
	}
	g.managed, err = g.config.managed.credentials()
	errs = append(errs, err)
	if g.config.managed != nil && !g.config.bearer {
		errs = append(errs, errors.New("auth: WithManagedServerTLS secures connections that prove no identity; accept "+
			"bearer tokens on them WithBearer"))
	}
	if g.config.bearer && g.config.certificate == nil && g.config.managed == nil {
		errs = append(errs, errors.New("auth: WithBearer: there is no source of certificates; callers with bearer "+
			"tokens need one that they verify, so pass a function that returns it"))
	}
	return errors.Join(errs...)
}

// makeTLS lists parley/1 first: plain HTTP/2 is spoken only with those who cannot do better, and only if it is switched
// on.
func (g *Gate) makeTLS() (*tls.Config, error) {
	certificate, err := wire.EphemeralCertificate()
	if err != nil {
		return nil, err
	}
	config := wire.ServerTLS(wire.ALPN)
	config.Certificates = []tls.Certificate{certificate}
	if g.config.certificate == nil {
		return config, nil
	}
	plain := wire.ServerTLS(wire.ALPNHTTP2)
	plain.GetCertificate = g.config.certificate
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offers := hello.SupportedProtos
		if slices.Contains(offers, wire.ALPN) {
			return nil, nil
		}
		// A client of HTTP/1.1 gets the certificate, too, so that it can read why it is refused.
		if len(offers) == 0 || slices.Contains(offers, wire.ALPNHTTP2) || slices.Contains(offers, "http/1.1") {
			return plain, nil
		}
		return nil, nil
	}
	return config, nil
}

// prepare returns what a handshake needs.
func (g *Gate) prepare(ctx context.Context) (*ownCredentials, *tls.Config, error) {
	if g.configErr != nil {
		return nil, nil, g.configErr
	}
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return nil, nil, err
	}
	config, err := g.tls()
	return keys, config, err
}

// Check returns every mistake in the gate and in its identity, joined; see [Identity.Check].
func (g *Gate) Check() error {
	return errors.Join(g.configErr, g.identity.Check(), g.identity.checkTables(g.config.issuers))
}

// Resolve compiles the policies of the methods that a server has registered, by their full names, and returns every
// mistake in them, joined. It logs warnings about surprising policies. One [*policy.UndecidedError] lists all methods
// without a policy. A server must not start after an error.
func (g *Gate) Resolve(methods ...string) error {
	var undecided []string
	var errs []error
	warned := map[policy.Mistake]bool{} // a wide rule may surprise in many methods
	for _, method := range methods {
		d, err := g.view.Get(method)
		if err == nil {
			for _, w := range d.Warnings() {
				if !warned[*w] {
					warned[*w] = true
					g.identity.auditWarning(w)
				}
			}
		}
		if lacks, ok := errors.AsType[*policy.UndecidedError](err); ok {
			undecided = append(undecided, lacks.Methods...)
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	if len(undecided) > 0 {
		slices.Sort(undecided)
		errs = append(errs, &policy.UndecidedError{Methods: slices.Compact(undecided)})
	}
	return errors.Join(errs...)
}

// ServerOptions returns the transport options and both interceptors.
func (g *Gate) ServerOptions() []grpc.ServerOption {
	return append(g.TransportOptions(),
		grpc.ChainUnaryInterceptor(g.UnaryServerInterceptor),
		grpc.ChainStreamInterceptor(g.StreamServerInterceptor),
	)
}

// TransportOptions returns the credentials and the limits that belong to them: 10 seconds for a handshake, 32 KiB of
// metadata, and a GOAWAY after 80 % of a connection's age, so that clients connect anew before it is closed. With
// [WithBearer] also 250 calls at once on a connection, because on one of plain HTTP/2 requests are read before their
// caller is known. Options of the same kind behind them win; a server that states its own takes the lower of them and
// [Gate.Limits].
func (g *Gate) TransportOptions() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.Creds(g.TransportCredentials()),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxHeaderListSize(maxHeaderList),
		grpc.KeepaliveParams(g.ConnectionAge()),
	}
	if calls, _ := g.Limits(); calls > 0 {
		options = append(options, grpc.MaxConcurrentStreams(calls))
	}
	return options
}

// Limits returns the part of [Gate.TransportOptions] that bounds callers before they have proven anything: the calls at
// once on a connection, and the bytes of metadata of a call. Both are 0, which is no bound, without [WithBearer]: then
// every connection is proven before its first request is read.
func (g *Gate) Limits() (calls, metadata uint32) {
	if !g.config.bearer {
		return 0, 0
	}
	return maxPlainStreams, maxHeaderList
}

// ConnectionAge returns the part of [Gate.TransportOptions] that ends connections in time, for a server that also sets
// when it pings silent clients: gRPC takes both from one option.
func (g *Gate) ConnectionAge() keepalive.ServerParameters {
	age := g.identity.config.connectionAge
	return keepalive.ServerParameters{
		MaxConnectionAge:      age * drainPercent / 100,
		MaxConnectionAgeGrace: age * drainGracePercent / 100,
	}
}

// TransportCredentials returns the credentials of the server.
func (g *Gate) TransportCredentials() credentials.TransportCredentials {
	return &serverCredentials{gate: g}
}

// CloseHandshakes closes every connection that is still in its handshake, and from now on every new one at once. A
// server calls it when it begins to stop, because grpc.Server waits for handshakes when it stops, gracefully or not.
func (g *Gate) CloseHandshakes() { g.waiting.Close() }

// String names the gate with its options.
func (g *Gate) String() string {
	text := "auth.Server("
	for n, o := range g.options {
		if n > 0 {
			text += ", "
		}
		text += o
	}
	return text + ")"
}
