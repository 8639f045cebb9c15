package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/controlplane"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/waterfall"
)

// App is one service: its identity, servers, clients, telemetry and registration in discovery. Make one with [New]. An
// App runs once. Its methods may be called from any goroutine. Add servers, background work and readiness checks before
// [App.Run]. Clients may also be added later. A client with a section in the configuration must be added before Run or,
// in a program without Run, before the first call.
type App struct {
	settings

	mu         sync.Mutex
	mistakes   []error
	mistaken   map[string]bool // the texts of mistakes
	servers    []*Server
	clients    []*Client
	budgets    budgets
	retries    retry.Switch
	background []task
	readiness  []check
	stage      stage
	stopRun    context.CancelFunc
	runEnded   chan struct{}
	ready      atomic.Bool
	checked    atomic.Pointer[[]checked] // the last results of the readiness checks
	announced  chan struct{}             // closed once the App is ready and registered

	firstCall    sync.Once // before Run
	firstCallErr error

	keysOnce sync.Once
	keyStore dedupe.Store

	setUp    sync.Once
	parts    parts
	setUpErr error
	release  sync.Once
	released error
	report   atomic.Pointer[DrainReport]
}

// settings are the values of the options of an App.
type settings struct {
	name           string
	options        []Option
	configFiles    []string // Check refuses more than one
	configContent  []byte   // of WithConfig; nil for a file that the App reads
	environ        []string
	identity       *auth.Identity
	insecure       bool
	development    bool
	logger         *slog.Logger
	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	ring           *waterfall.Ring
	replay         *retry.ReplayMemory // shared by all clients
	driver         driver.Driver

	discoveryOptions []discovery.Option
	engines          map[string]func(string) (driver.Driver, error)
	layers           []policy.Layer
	policyFiles      []policy.Files
	policyFormats    map[string]func(path string) policy.Files
	mounts           []admin.Mount
	logLevel         *slog.LevelVar
	forServers       []ServerOption
	forClients       []ClientOption
	zone             string
	plane            controlplane.ControlPlane // nil without one
	transport        http.RoundTripper         // for the keys of issuers; nil means their own
}

type stage int

const (
	stageBuilt stage = iota
	stageRunning
	stageStopped
)

var (
	errOneSided = errors.New(
		"a unary and a stream interceptor are both required; if one has nothing to do, " +
			"pass an interceptor that only calls the next step",
	)
	errRanTwice = errors.New("framework: Run was called before; an App runs once, make a new one with New")
	// ErrClosed is the error of a client's RPC, of Check and of Run after the App has stopped. A client's RPC returns it
	// with the status CANCELED, like the status of a call on a closed grpc.ClientConn.
	ErrClosed = errors.New(
		"framework: the App has stopped, and an App runs once; call before Close, or make another App with New",
	)
)

// closedError is ErrClosed with its status.
type closedError struct{}

func (closedError) Error() string { return ErrClosed.Error() }
func (closedError) Unwrap() error { return ErrClosed }

func (e closedError) GRPCStatus() *status.Status { return status.New(codes.Canceled, e.Error()) }

// New returns an App for the service with this name. The name is also the service's name in the trust domain and in
// discovery. [App.Check], [App.Run] and the first RPC of a client report mistakes in the name or the options.
func New(service string, opts ...Option) *App {
	a := &App{
		settings: settings{
			name:    service,
			options: opts,
			environ: os.Environ(),
			logger:  slog.Default(),
			replay:  retry.DefaultReplayMemory(),
		},
		runEnded:  make(chan struct{}),
		announced: make(chan struct{}),
	}
	for _, o := range opts {
		if o == nil {
			a.mistake("New(%q): an option is nil; remove it", service)
			continue
		}
		o.applyApp(a)
	}
	return a
}

// Server adds a server that listens on addr while the App runs. Register services with it before [App.Run].
//
// The first server of an App is registered in discovery under the App's name. Further servers need [WithServiceName].
// The configuration servers.<service name>.listen overrides addr.
func (a *App) Server(addr string, opts ...ServerOption) *Server {
	s := &Server{app: a, ending: plannedend.New(), serverSettings: serverSettings{addr: addr, options: opts}}
	for _, o := range a.forServers {
		o.applyServer(s)
	}
	for _, o := range opts {
		if o == nil {
			a.mistake("Server(%q): an option is nil; remove it", addr)
			continue
		}
		o.applyServer(s)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stage != stageBuilt {
		a.logger.Error("a server was made after Run and does not serve; make it before", slog.String("address", addr))
		return s
	}
	if len(a.servers) == 0 && s.service == "" {
		s.service = a.name
	}
	a.servers = append(a.servers, s)
	return s
}

// Client returns a client of the service called name, for use with generated code. By default, the client finds the
// service in discovery under this name, and its server must prove that it is this service in the App's trust domain.
// The configuration clients.<name> and the options change both. Clients of the same target share only its retry budget,
// so make one client for each service and keep it.
//
// The first RPC opens the connection. [App.Check] and the first RPC report mistakes in the arguments.
func (a *App) Client(name string, opts ...ClientOption) *Client {
	c := &Client{app: a, clientSettings: clientSettings{name: name, options: opts}}
	c.auth = sync.OnceValues(c.makeAuth)
	for _, o := range a.forClients {
		o.applyClient(c)
	}
	for _, o := range opts {
		if o == nil {
			a.mistake("Client(%q): an option is nil; remove it", name)
			continue
		}
		o.applyClient(c)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.closed = a.stage == stageStopped // App.Close has run already and will not close this client
	a.clients = append(a.clients, c)
	return c
}

// Background adds background work. Run is called before the servers start to serve, and its context ends after they
// have stopped. If run returns an error before that, the App stops and [App.Run] returns the error. If run returns nil,
// the App continues. A panic in run is an error, and is logged with its stack. Call Background before Run.
func (a *App) Background(name string, run func(context.Context) error) {
	if run == nil {
		a.mistake("Background(%q): the function is nil; pass one, or remove the call", name)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stage != stageBuilt {
		a.logger.Error("background work was added after Run and does not run; add it before", slog.String("name", name))
		return
	}
	a.background = append(a.background, task{name, run})
}

// ReadyWhen adds a readiness check. The App calls ready every second, with a context of 5s. An error or a panic means
// that the App is not ready. While an App is not ready, its health is NOT_SERVING and it is announced as draining, but
// it stays registered.
func (a *App) ReadyWhen(name string, ready func(context.Context) error) {
	if ready == nil {
		a.mistake("ReadyWhen(%q): the function is nil; pass one, or remove the call", name)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stage != stageBuilt {
		a.logger.Error("a readiness check was added after Run and is ignored; add it before", slog.String("name", name))
		return
	}
	a.readiness = append(a.readiness, check{name, ready})
}

// DrainReport returns the report of the stop, or nil before the servers have stopped.
func (a *App) DrainReport() *DrainReport { return a.report.Load() }

// Logger returns the logger of the App. A record that is logged with the context of a call has the trace ID and span ID
// of that call.
func (a *App) Logger() *slog.Logger { return slog.New(tracing.LogHandler(a.logger.Handler())) }

// SetRetries enables or disables the retries and hedges of all clients. It may be called while calls run. The admin
// page has the same switch. While retries are disabled, every call has one attempt. By default they are enabled.
func (a *App) SetRetries(on bool) { a.retries.Set(on) }

// Retries reports whether retries and hedges are enabled.
func (a *App) Retries() bool { return a.retries.On() }

// Ready returns a channel that is closed when the App serves, has been ready, and is registered in discovery.
func (a *App) Ready() <-chan struct{} { return a.announced }

// Check returns every mistake in the App's construction, configuration and identity, joined, or nil. It binds no
// address and opens no connection to a service, so only Run reports errors such as a port in use.
//
// The first Check sets up the parts that Run and the clients use: it starts watching the identity and the configuration
// file, and opens telemetry and discovery. A program that only checks must call [App.Close] afterwards.
func (a *App) Check() error {
	errs := []error{a.checkSelf()}
	a.mu.Lock()
	servers, clients := a.servers, a.clients
	a.mu.Unlock()
	for _, s := range servers {
		errs = append(errs, s.check())
	}
	for _, c := range clients {
		errs = append(errs, c.check())
	}
	errs = append(errs, checkServiceNames(servers), a.checkServerSections(servers), a.checkClientSections(clients))
	return distinct(errs)
}

// checkSelf returns the mistakes of the App itself, without those of its servers and clients.
func (a *App) checkSelf() error {
	a.prepare()
	a.mu.Lock()
	errs := append(slices.Clone(a.mistakes), a.setUpErr)
	a.mu.Unlock()
	return errors.Join(append(errs, a.checkSurfaces(), a.checkVouching(), a.checkControlPlane())...)
}

// mistake keeps a configuration error until Check. A mistake in an option for every client is kept once, not once for
// each client.
func (a *App) mistake(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mistaken[err.Error()] {
		return
	}
	if a.mistaken == nil {
		a.mistaken = map[string]bool{}
	}
	a.mistaken[err.Error()] = true
	a.mistakes = append(a.mistakes, err)
}

func checkServiceNames(servers []*Server) error {
	var errs []error
	seen := map[string]string{}
	for _, s := range servers {
		if s.service == "" {
			continue
		}
		if other, ok := seen[s.service]; ok {
			errs = append(
				errs,
				fmt.Errorf(
					"Server(%q): the service name %q belongs to Server(%q); give each its own with WithServiceName",
					s.addr,
					s.service,
					other,
				),
			)
		}
		seen[s.service] = s.addr
	}
	return errors.Join(errs...)
}
