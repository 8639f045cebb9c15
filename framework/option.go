package framework

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery/controlplane"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/waterfall"
)

// Option configures an [App]. Every option prints itself as it was written, and [App.Describe] shows them all.
type Option interface {
	fmt.Stringer
	applyApp(*App)
}

// ServerOption configures one [Server].
type ServerOption interface {
	fmt.Stringer
	applyServer(*Server)
}

// ClientOption configures one [Client].
type ClientOption interface {
	fmt.Stringer
	applyClient(*Client)
}

// AppOrServerOption configures one [Server], or every server of an [App].
type AppOrServerOption interface {
	Option
	ServerOption
}

// AppOrClientOption configures one [Client], or every client of an [App].
type AppOrClientOption interface {
	Option
	ClientOption
}

type appOption struct {
	text  string
	apply func(*App)
}

func (o appOption) String() string { return o.text }
func (o appOption) applyApp(a *App) {
	o.apply(a)
}

type serverOption struct {
	text  string
	apply func(*Server)
}

func (o serverOption) String() string { return o.text }
func (o serverOption) applyServer(s *Server) {
	o.apply(s)
}

type clientOption struct {
	text  string
	apply func(*Client)
}

func (o clientOption) String() string { return o.text }
func (o clientOption) applyClient(c *Client) {
	o.apply(c)
}

type appOrServerOption struct{ serverOption }

func (o appOrServerOption) applyApp(a *App) { a.forServers = append(a.forServers, o) }

type appOrClientOption struct{ clientOption }

func (o appOrClientOption) applyApp(a *App) { a.forClients = append(a.forClients, o) }

// WithConfigFile reads the configuration from a YAML file in the schema parley.config.v1.Config. An unknown key is a
// mistake. Policies in the file are read again when the file changes; a bad file keeps the last good policies and is
// logged. Without this option only the environment is read.
func WithConfigFile(path string) Option {
	return appOption{fmt.Sprintf("WithConfigFile(%q)", path), func(a *App) { a.configFile = path }}
}

// WithEnviron replaces the environment of the process, as "KEY=value" entries, wherever the App reads it: PARLEY_* and
// OTEL_*. The default is os.Environ.
func WithEnviron(environ []string) Option {
	return appOption{fmt.Sprintf("WithEnviron(%d entries)", len(environ)), func(a *App) { a.environ = environ }}
}

// WithIdentity gives the App an identity that the caller made and closes. It takes the place of the identity section of
// the configuration.
func WithIdentity(id *auth.Identity) Option {
	return appOption{"WithIdentity(" + id.ID().String() + ")", func(a *App) { a.identity = id }}
}

// WithInsecureDev lets the App run without an identity: plaintext, nobody proves anything, auth policies are not
// enforced. Servers then listen on loopback addresses only, and every start logs a warning. It cannot be combined with
// an identity.
func WithInsecureDev() Option {
	return appOption{"WithInsecureDev()", func(a *App) { a.insecure = true }}
}

// WithDevelopment keeps every call for the live page, whether or not it is sampled for export. In production only
// sampled calls are kept.
func WithDevelopment() Option {
	return appOption{"WithDevelopment()", func(a *App) { a.development = true }}
}

// WithLogger sets the logger of the App. The default is slog.Default() at the time of New.
func WithLogger(logger *slog.Logger) Option {
	return appOption{"WithLogger(...)", func(a *App) { a.logger = logger }}
}

// WithWaterfall keeps recent calls in a ring that the caller holds, instead of one of the App's own. Apps of one process
// that share a ring show a call with its server's side below it.
func WithWaterfall(ring *waterfall.Ring) Option {
	return appOption{"WithWaterfall(...)", func(a *App) { a.ring = ring }}
}

// WithTracerProvider takes the place of the tracer provider that the OTEL_* environment describes. The caller shuts it
// down. The live page then stays empty, unless the provider feeds it.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return appOption{"WithTracerProvider(...)", func(a *App) { a.tracerProvider = tp }}
}

// WithMeterProvider takes the place of the meter provider that the OTEL_* environment describes. The caller shuts it
// down.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return appOption{"WithMeterProvider(...)", func(a *App) { a.meterProvider = mp }}
}

// WithDiscovery sets the engine in which services are announced and found. The App closes the driver. It takes the place
// of the discovery section of the configuration.
func WithDiscovery(d driver.Driver) Option {
	return appOption{fmt.Sprintf("WithDiscovery(%T)", d), func(a *App) { a.driver = d }}
}

// WithZone says in which zone the App runs: its instances are announced with it, and its clients call instances of it
// first. The configuration discovery.zone overrides it.
func WithZone(zone string) Option {
	return appOption{fmt.Sprintf("WithZone(%q)", zone), func(a *App) { a.zone = zone }}
}

// WithEngine lets discovery.driver in the configuration name an engine by URL whose driver is a module of its own:
//
//	framework.WithEngine("etcd", etcd.Open)
//
// Scheme is that of the URLs, and open makes the driver, which the App closes. It may be given several times.
func WithEngine(scheme string, open func(rawURL string) (driver.Driver, error)) Option {
	return appOption{fmt.Sprintf("WithEngine(%q)", scheme), func(a *App) {
		if open == nil {
			a.mistake("WithEngine(%q): want a function that makes the driver", scheme)
			return
		}
		if a.engines == nil {
			a.engines = make(map[string]func(string) (driver.Driver, error))
		}
		a.engines[scheme] = open
	}}
}

// WithPolicy narrows the policies that the .proto files state, for this program. Keys are "/package.Service/Method" or
// "/package.Service/*". It may be given several times.
func WithPolicy(policies map[string]*policyv1.Policy) Option {
	_, file, line, _ := runtime.Caller(1)
	place := fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line)
	return appOption{fmt.Sprintf("WithPolicy(%d entries)", len(policies)), func(a *App) {
		a.layers = append(a.layers, policy.CodeAt(place, policies))
	}}
}

// WithProbes serves /livez and /readyz on addr. They show no detail. The configuration surfaces.probes overrides it.
func WithProbes(addr string) Option {
	return appOption{fmt.Sprintf("WithProbes(%q)", addr), func(a *App) { a.surfaceDefaults.probes = addr }}
}

// WithMetrics serves /metrics for Prometheus on addr. The configuration surfaces.metrics overrides it.
func WithMetrics(addr string) Option {
	return appOption{fmt.Sprintf("WithMetrics(%q)", addr), func(a *App) { a.surfaceDefaults.metrics = addr }}
}

// WithAdmin serves the live page, the effective policy and pprof on addr, which must be a loopback address. The
// configuration surfaces.admin overrides it.
func WithAdmin(addr string) Option {
	return appOption{fmt.Sprintf("WithAdmin(%q)", addr), func(a *App) { a.surfaceDefaults.admin = addr }}
}

// WithAdminMount adds a handler to the admin surface, such as that of package admin/channelz.
func WithAdminMount(m admin.Mount) Option {
	return appOption{fmt.Sprintf("WithAdminMount(%q)", m.Path), func(a *App) { a.mounts = append(a.mounts, m) }}
}

// WithLogLevel lets the admin surface show and change the level of a logger that the caller made with it.
func WithLogLevel(level *slog.LevelVar) Option {
	return appOption{"WithLogLevel(...)", func(a *App) { a.logLevel = level }}
}

// WithCall places interceptors around a whole call, outside retry: they run once per call. Both are required.
func WithCall(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) AppOrClientOption {
	return appOrClientOption{clientOption{"WithCall(...)", func(c *Client) {
		if unary == nil || stream == nil {
			c.app.mistake("WithCall: %w", errOneSided)
			return
		}
		c.callUnary = append(c.callUnary, unary)
		c.callStream = append(c.callStream, stream)
	}}}
}

// WithAttempt places interceptors around each attempt, inside retry: they run once per attempt. Both are required.
func WithAttempt(unary grpc.UnaryClientInterceptor, stream grpc.StreamClientInterceptor) AppOrClientOption {
	return appOrClientOption{clientOption{"WithAttempt(...)", func(c *Client) {
		if unary == nil || stream == nil {
			c.app.mistake("WithAttempt: %w", errOneSided)
			return
		}
		c.attemptUnary = append(c.attemptUnary, unary)
		c.attemptStream = append(c.attemptStream, stream)
	}}}
}

// WithHandler places interceptors around the handlers of a server. The caller is authenticated and authorized by then.
// Health and reflection, which the App registers itself, do not pass them. Both are required.
func WithHandler(unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) AppOrServerOption {
	return appOrServerOption{serverOption{"WithHandler(...)", func(s *Server) {
		if unary == nil || stream == nil {
			s.app.mistake("WithHandler: %w", errOneSided)
			return
		}
		s.handlerUnary = append(s.handlerUnary, unary)
		s.handlerStream = append(s.handlerStream, stream)
	}}}
}

// WithDedupe runs a unary call that carries an idempotency key once, directly around the handlers of a server: see package
// interceptors/retry/dedupe. Each proven caller has keys of its own; without an identity ([WithInsecureDev]) callers share
// them. Keys and answers are kept in memory, in one store for all servers of the App, unless dedupe.WithStore gives one
// that replicas share: a service with several replicas needs that. On the client, retry.WithKeyedMethods states that a
// service does this, see [WithRetry].
func WithDedupe(opts ...dedupe.Option) AppOrServerOption {
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = o.String()
	}
	return appOrServerOption{serverOption{"WithDedupe(" + strings.Join(texts, ", ") + ")", func(s *Server) {
		options := append([]dedupe.Option{dedupe.WithStore(s.app.keys()), dedupe.WithCaller(provenCaller)}, opts...)
		s.dedupe = dedupe.New(options...)
		if err := s.dedupe.Check(); err != nil {
			s.app.mistake("WithDedupe: %w", err)
		}
	}}}
}

// WithRetry passes options to the retriers of clients, such as retry.WithKeyedMethods, retry.WithBreaker and
// retry.WithAdaptiveTimeout. They come after those that the App itself gives. The configuration
// clients.<name>.retry_budget overrides retry.WithBudget.
func WithRetry(opts ...retry.Option) AppOrClientOption {
	texts := make([]string, len(opts))
	for i, o := range opts {
		texts[i] = o.String()
	}
	return appOrClientOption{clientOption{"WithRetry(" + strings.Join(texts, ", ") + ")", func(c *Client) {
		c.retry = append(c.retry, opts...)
	}}}
}

// WithServerOptions passes options to grpc.NewServer as they are. Transport credentials and interceptors among them would
// go round Parley's own; leave both to Parley.
func WithServerOptions(opts ...grpc.ServerOption) AppOrServerOption {
	return appOrServerOption{serverOption{fmt.Sprintf("WithServerOptions(%d options)", len(opts)), func(s *Server) {
		s.grpcOptions = append(s.grpcOptions, opts...)
	}}}
}

// WithDialOptions passes options to grpc.NewClient as they are. Transport credentials and interceptors among them would
// go round Parley's own; leave both to Parley.
func WithDialOptions(opts ...grpc.DialOption) AppOrClientOption {
	return appOrClientOption{clientOption{fmt.Sprintf("WithDialOptions(%d options)", len(opts)), func(c *Client) {
		c.grpcOptions = append(c.grpcOptions, opts...)
	}}}
}

// WithServiceName registers a server in discovery under a name other than the App's. The second and further servers of
// an App need one, or are not registered.
func WithServiceName(name string) ServerOption {
	return serverOption{fmt.Sprintf("WithServiceName(%q)", name), func(s *Server) { s.service = name }}
}

// WithListener serves on a listener that the caller made, instead of binding the server's address. Run closes it, also when
// it fails to start.
func WithListener(l net.Listener) ServerOption {
	return serverOption{fmt.Sprintf("WithListener(%s)", l.Addr()), func(s *Server) { s.listener = l }}
}

// WithReflection offers gRPC server reflection to every authenticated caller. The configuration servers.<name>.reflection
// overrides it.
func WithReflection() ServerOption {
	return serverOption{"WithReflection()", func(s *Server) { s.reflection = true }}
}

// WithTarget dials a gRPC target instead of looking the client's name up in discovery. The configuration
// clients.<name>.target overrides it.
func WithTarget(target string) ClientOption {
	return clientOption{fmt.Sprintf("WithTarget(%q)", target), func(c *Client) { c.target = target }}
}

// WithPeers sets which identities the server may prove: IDs, or patterns that end in "/*". The default is the client's
// name in the App's own trust domain. The configuration clients.<name>.peers overrides it.
func WithPeers(peers ...string) ClientOption {
	return clientOption{fmt.Sprintf("WithPeers(%s)", strings.Join(peers, ", ")), func(c *Client) { c.peers = peers }}
}

// WithLoadReports makes the server tell its clients with each call how busy it is, as ORCA reports, for those that balance
// by weighted_round_robin. The configuration servers.<name>.load_reports does the same.
func WithLoadReports() ServerOption {
	return serverOption{"WithLoadReports()", func(s *Server) { s.reportsLoad = true }}
}

// WithBalancing sets how the client spreads its calls. The configuration clients.<name>.balancing, hash_key, subset and
// outliers overrides it.
func WithBalancing(b grpcbalancer.Balancing) AppOrClientOption {
	return appOrClientOption{clientOption{"WithBalancing(" + b.String() + ")", func(c *Client) { c.spread = b }}}
}

// WithControlPlane lets p say where services are and how they are called, for clients whose target is of its scheme, and what
// servers serve, for those with [WithControlledListener]. Package discovery/xds has one.
func WithControlPlane(p controlplane.ControlPlane) Option {
	return appOption{fmt.Sprintf("WithControlPlane(%v)", p), func(a *App) { a.plane = p }}
}

// WithControlledListener lets the control plane of the App describe the listener of the server, which serves while it does.
// The configuration servers.<name>.control_plane overrides it.
func WithControlledListener() ServerOption {
	return serverOption{"WithControlledListener()", func(s *Server) { s.isControlled = true }}
}

// WithDialer opens the client's connections with dial instead of TCP.
func WithDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) AppOrClientOption {
	return appOrClientOption{clientOption{"WithDialer(...)", func(c *Client) { c.dialer = dial }}}
}
