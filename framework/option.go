package framework

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/controlplane"
	"github.com/parley-rpc/parley/discovery/driver"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
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
// mistake, and so is a file that states nothing. Without this option only the environment is read.
//
// The file is looked at every second. What a new content tightens is in force at the first look, if a program would start
// with it; when two looks in a row see the same, its policies take the place of those of before. Otherwise, and when the file is missing, what was read before stays in force; log,
// metrics and admin page say why. The other sections count at the next start. The option may be given once.
func WithConfigFile(path string) Option {
	return appOption{fmt.Sprintf("WithConfigFile(%q)", path), func(a *App) { a.configFiles = append(a.configFiles, path) }}
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

// WithInsecureDev lets the App run without an identity: plaintext, no peer is authenticated, auth policies are not
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

// WithWaterfall keeps recent calls in a ring that the caller holds, instead of one of the App's own. Apps of one
// process that share a ring show a call with its server's side below it.
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

// WithDiscovery sets the engine in which services are announced and found, and how the App deals with its failures, as
// discovery.WithLastKnownGood does. The App closes the driver. It takes the place of discovery.driver and
// discovery.services of the configuration, whose other values override the options.
func WithDiscovery(d driver.Driver, opts ...discovery.Option) Option {
	return appOption{fmt.Sprintf("WithDiscovery(%T)", d), func(a *App) { a.driver, a.discoveryOptions = d, opts }}
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
			a.mistake("WithEngine(%q): want a function that makes the driver, not nil", scheme)
			return
		}
		if a.engines == nil {
			a.engines = make(map[string]func(string) (driver.Driver, error))
		}
		a.engines[scheme] = open
	}}
}

// WithPolicy narrows the policies that the .proto files state, for this program. Keys are "/package.Service/Method",
// "/package.Service/*", "/package.*" for a package and those below it, or "/*" for every method. It may be given
// several times.
func WithPolicy(policies map[string]*policyv1.Policy) Option {
	_, file, line, _ := runtime.Caller(1)
	place := fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line)
	return appOption{fmt.Sprintf("WithPolicy(%d entries)", len(policies)), func(a *App) {
		a.layers = append(a.layers, policy.CodeAt(place, policies))
	}}
}

// WithAdminMount adds a handler to the admin surface, such as the one of package admin/channelz. The configuration
// surfaces.admin switches the surface on.
func WithAdminMount(m admin.Mount) Option {
	return appOption{fmt.Sprintf("WithAdminMount(%q)", m.Path), func(a *App) { a.mounts = append(a.mounts, m) }}
}

// WithLogLevel lets the admin surface show and change the level of a logger that the caller made with it.
func WithLogLevel(level *slog.LevelVar) Option {
	return appOption{"WithLogLevel(...)", func(a *App) { a.logLevel = level }}
}

// WithRoundTripper makes t do the requests for the keys of issuers, in the place of a transport that verifies
// certificates by the roots of the system and takes 2 seconds at most to connect. All other limits of package keyset
// remain. A ca_file and a proxy in the configuration contradict it.
func WithRoundTripper(t http.RoundTripper) Option {
	return appOption{"WithRoundTripper(...)", func(a *App) { a.transport = t }}
}

// WithControlPlane lets p say where services are and how they are called, for clients whose target is of its scheme,
// and what servers serve, for those with [WithControlledListener]. Package discovery/xds has one.
func WithControlPlane(p controlplane.ControlPlane) Option {
	return appOption{fmt.Sprintf("WithControlPlane(%v)", p), func(a *App) { a.plane = p }}
}
