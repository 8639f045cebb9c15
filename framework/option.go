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

// Option configures an [App]. Its String method returns the Go expression that made it. [App.Describe] shows all
// options.
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

// WithConfigFile reads the configuration from a YAML file with the schema parley.config.v1.Config. Unknown keys and an
// empty file are mistakes. Without this option or WithConfig the configuration comes only from the environment. One of
// them may be used, once.
//
// The App checks the file every second. If a program would start with a new content, its stricter policies take effect
// at once. When two checks in a row have seen the same content, all of its policies replace the previous ones. If the
// file is bad or missing, the previous content stays in force, and the log, the metrics and the admin page show the
// reason. Changes of other sections take effect at the next start.
func WithConfigFile(path string) Option {
	return appOption{fmt.Sprintf("WithConfigFile(%q)", path), func(a *App) { a.configFiles = append(a.configFiles, path) }}
}

// WithConfig is WithConfigFile for a content that the program has read itself, such as an embedded file. Errors
// have the name in place of a path. The content is not read again.
func WithConfig(name string, content []byte) Option {
	return appOption{fmt.Sprintf("WithConfig(%q, %d bytes)", name, len(content)), func(a *App) {
		a.configFiles = append(a.configFiles, name)
		a.configContent = append([]byte{}, content...)
	}}
}

// WithEnviron sets the environment, as "KEY=value" entries, from which the App reads PARLEY_* and OTEL_* variables. The
// default is os.Environ.
func WithEnviron(environ []string) Option {
	return appOption{fmt.Sprintf("WithEnviron(%d entries)", len(environ)), func(a *App) { a.environ = environ }}
}

// WithIdentity sets the identity of the App. The caller must close it. It replaces the identity section of the
// configuration, which must be empty.
func WithIdentity(id *auth.Identity) Option {
	return appOption{"WithIdentity(" + id.ID().String() + ")", func(a *App) { a.identity = id }}
}

// WithInsecureDev lets the App run without an identity. Connections are in plaintext, peers are not authenticated, and
// auth policies are not enforced. Servers listen only on loopback addresses, and every start logs a warning. It cannot
// be combined with an identity.
func WithInsecureDev() Option {
	return appOption{"WithInsecureDev()", func(a *App) { a.insecure = true }}
}

// WithDevelopment keeps every call for the live page. Without it, only calls that are sampled for export are kept.
func WithDevelopment() Option {
	return appOption{"WithDevelopment()", func(a *App) { a.development = true }}
}

// WithLogger sets the logger of the App. The default is slog.Default() at the time of New.
func WithLogger(logger *slog.Logger) Option {
	return appOption{"WithLogger(...)", func(a *App) { a.logger = logger }}
}

// WithWaterfall sets the ring that keeps recent calls. The default is a new ring. If the Apps of one process share a
// ring, the live page shows each call together with its server's side.
func WithWaterfall(ring *waterfall.Ring) Option {
	return appOption{"WithWaterfall(...)", func(a *App) { a.ring = ring }}
}

// WithTracerProvider sets the tracer provider. It replaces the provider that the OTEL_* variables configure. The caller
// must shut it down. The live page then stays empty, unless the provider sends its spans to the ring of
// [WithWaterfall].
func WithTracerProvider(tp trace.TracerProvider) Option {
	return appOption{"WithTracerProvider(...)", func(a *App) { a.tracerProvider = tp }}
}

// WithMeterProvider sets the meter provider. It replaces the provider that the OTEL_* variables configure. The caller
// must shut it down.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return appOption{"WithMeterProvider(...)", func(a *App) { a.meterProvider = mp }}
}

// WithDiscovery sets the driver of the discovery engine, and options of the registry such as
// discovery.WithLastKnownGood. The App closes the driver. It replaces discovery.driver and discovery.services of the
// configuration. The other values of the configuration override the options.
func WithDiscovery(d driver.Driver, opts ...discovery.Option) Option {
	return appOption{fmt.Sprintf("WithDiscovery(%T)", d), func(a *App) { a.driver, a.discoveryOptions = d, opts }}
}

// WithZone sets the zone in which the App runs. Its instances are registered with the zone, and its clients prefer
// instances in the same zone. The configuration discovery.zone overrides it.
func WithZone(zone string) Option {
	return appOption{fmt.Sprintf("WithZone(%q)", zone), func(a *App) { a.zone = zone }}
}

// WithEngine adds a discovery engine whose driver is a separate module, so that discovery.driver in the configuration
// can be a URL of this engine:
//
//	framework.WithEngine("etcd", etcd.Open)
//
// Scheme is the scheme of the URLs. Open makes the driver, which the App closes. The option may be used several times.
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

// WithPolicy tightens the policies of the .proto files for this program. Keys are "/package.Service/Method",
// "/package.Service/*", "/package.*" for a package and the packages below it, or "/*" for every method. The option may
// be used several times.
func WithPolicy(policies map[string]*policyv1.Policy) Option {
	_, file, line, _ := runtime.Caller(1)
	place := fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line)
	return appOption{fmt.Sprintf("WithPolicy(%d entries)", len(policies)), func(a *App) {
		a.layers = append(a.layers, policy.CodeAt(place, policies))
	}}
}

// WithPolicySource tightens the policies with files of another format than the configuration, such as those of a mesh:
// istio.Dir of package policy/istio. The App checks them every second. Like the configuration file, a new content takes
// effect when two checks in a row have seen it and it has no mistakes. If the files are bad or missing, the previous
// content stays in force. Statements that Parley does not enforce are logged at the start and listed by [App.Describe].
// It may be given several times.
func WithPolicySource(files policy.Files) Option {
	return appOption{fmt.Sprintf("WithPolicySource(%v)", files), func(a *App) {
		if files == nil {
			a.mistake("WithPolicySource: want files, got nil")
			return
		}
		a.policyFiles = append(a.policyFiles, files)
	}}
}

// WithPolicyFormat adds a format of policy files whose reader is a separate module, so that policies_from in the
// configuration can name such files:
//
//	framework.WithPolicyFormat("istio", istio.For(workload))
//
// Format is the key. Open returns the source for a path, as for [WithPolicySource]. It may be given several times.
func WithPolicyFormat(format string, open func(path string) policy.Files) Option {
	return appOption{fmt.Sprintf("WithPolicyFormat(%q)", format), func(a *App) {
		if open == nil || format == "" {
			a.mistake("WithPolicyFormat(%q): want a name and a function that makes the files", format)
			return
		}
		if a.policyFormats == nil {
			a.policyFormats = make(map[string]func(string) policy.Files)
		}
		a.policyFormats[format] = open
	}}
}

// WithAdminMount adds a handler to the admin surface, such as the one of package admin/channelz. The configuration
// surfaces.admin enables the surface.
func WithAdminMount(m admin.Mount) Option {
	return appOption{fmt.Sprintf("WithAdminMount(%q)", m.Path), func(a *App) { a.mounts = append(a.mounts, m) }}
}

// WithLogLevel lets the admin surface show and change level. The caller must use level in the handler of its logger.
func WithLogLevel(level *slog.LevelVar) Option {
	return appOption{"WithLogLevel(...)", func(a *App) { a.logLevel = level }}
}

// WithRoundTripper sets the transport for the keys of issuers. The default verifies certificates with the roots of the
// system and connects within 2 seconds. All other limits of package keyset still apply. It cannot be combined with a
// ca_file or a proxy in the configuration.
func WithRoundTripper(t http.RoundTripper) Option {
	return appOption{"WithRoundTripper(...)", func(a *App) { a.transport = t }}
}

// WithControlPlane lets the control plane p configure clients whose target has its scheme, and servers with
// [WithControlledListener]. Package discovery/xds has an implementation.
func WithControlPlane(p controlplane.ControlPlane) Option {
	return appOption{fmt.Sprintf("WithControlPlane(%v)", p), func(a *App) { a.plane = p }}
}
