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

// App is one service: its identity, its servers, its clients, its telemetry and its place in discovery. Make one with
// [New]. An App runs once. Its methods may be called from any goroutine, but servers, clients, background work and
// readiness checks belong before [App.Run]; clients may also be made later. A client that the configuration has a
// section for belongs before Run and, in a program that calls without Run, before the first call.
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
	announced  chan struct{} // closed once the App is ready and registered

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

// settings are what the options of an App say.
type settings struct {
	name           string
	options        []Option
	configFiles    []string // at most one, or Check refuses
	environ        []string
	identity       *auth.Identity
	insecure       bool
	development    bool
	logger         *slog.Logger
	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	ring           *waterfall.Ring
	replay         *retry.ReplayMemory // of all clients
	driver         driver.Driver

	discoveryOptions []discovery.Option
	engines          map[string]func(string) (driver.Driver, error)
	layers           []policy.Layer
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
		"a unary and a stream interceptor are both required; pass one that only calls through where there is nothing to do",
	)
	errRanTwice = errors.New("framework: Run was called before; an App runs once, make a new one with New")
	// ErrClosed is what a client's RPC, Check and Run return after the App has stopped. Its gRPC status is CANCELED, as
	// that of a call on a closed grpc.ClientConn.
	ErrClosed error = errClosed{}
)

type errClosed struct{}

func (errClosed) Error() string {
	return "framework: the App has stopped, and an App runs once; call before Close, or make another App with New"
}

func (e errClosed) GRPCStatus() *status.Status { return status.New(codes.Canceled, e.Error()) }

// New returns an App named service, which is also its name in the trust domain and in discovery. Mistakes in the name
// or the options are reported by [App.Check], [App.Run] and the first RPC.
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

// Server returns a server that will listen on addr once the App runs. Register services with it before [App.Run].
//
// The first server of an App is announced in discovery under the App's name; further ones need [WithServiceName]. The
// configuration servers.<service name>.listen overrides addr.
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

// Client returns a client of the service called name, to be given to generated code. It is found in discovery under its
// name and must prove to be that service of the App's own trust domain; the configuration clients.<name> and the
// options change both. Several clients of one target share nothing but its retry budget; keep the one that you made.
//
// The connection is made by the first RPC. A client made wrongly says so in [App.Check] and in its first RPC.
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
	c.closed = a.stage == stageStopped // App.Close has run and would not close it
	a.clients = append(a.clients, c)
	return c
}

// Background runs work beside the servers: it starts before they serve, and its context ends after they have stopped.
// An error that run returns before that stops the App and is returned by [App.Run]; returning nil only ends the work. A
// panic in it is such an error, and is logged with its stack. Background work belongs before Run.
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

// ReadyWhen adds a condition for the App to be ready. It is asked every second, with a context of 5 s; an error or a
// panic means not ready. While an App is not ready its health is NOT_SERVING and it is announced as draining, but never
// deregistered.
func (a *App) ReadyWhen(name string, ready func(context.Context) error) {
	if ready == nil {
		a.mistake("ReadyWhen(%q): the function is nil; pass one, or remove the call", name)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stage != stageBuilt {
		a.logger.Error("a readiness check was added after Run and is not asked; add it before", slog.String("name", name))
		return
	}
	a.readiness = append(a.readiness, check{name, ready})
}

// DrainReport returns how the stop went once the servers have stopped. Before that it returns nil.
func (a *App) DrainReport() *DrainReport { return a.report.Load() }

// Logger returns the logger of the App. What is logged through it with the context of a call carries the trace and span
// of that call.
func (a *App) Logger() *slog.Logger { return slog.New(tracing.LogHandler(a.logger.Handler())) }

// SetRetries switches the retries and hedges of all clients off, or on again, while calls run: one knob for the
// operator of a program in trouble, which the admin page has, too. Calls then have one attempt. It is on at first.
func (a *App) SetRetries(on bool) { a.retries.Set(on) }

// Retries reports whether retries and hedges are switched on.
func (a *App) Retries() bool { return a.retries.On() }

// Ready returns a channel that is closed once the App serves, has been ready, and is known to discovery.
func (a *App) Ready() <-chan struct{} { return a.announced }

// Check returns every mistake in the App's construction, configuration and identity, joined, or nil. Mistakes that need
// the machine, such as a port in use, are Run's. It binds no address and opens no connection to a service.
//
// The first Check sets up what Run and the clients use from then on: the identity and the configuration file are
// watched, telemetry and discovery are opened. A program that only checks calls [App.Close] afterwards.
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
	return errors.Join(errs...)
}

// checkSelf returns the mistakes that belong to no server and no client.
func (a *App) checkSelf() error {
	a.prepare()
	a.mu.Lock()
	errs := append(slices.Clone(a.mistakes), a.setUpErr)
	a.mu.Unlock()
	return errors.Join(append(errs, a.checkSurfaces(), a.checkVouching(), a.checkControlPlane())...)
}

// mistake keeps a configuration error until Check. An option for every client counts once, not once for each client.
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

// without returns the errors of err that are not among those of reported, which the App reports once.
func without(err, reported error) error {
	known := map[string]bool{}
	for _, e := range single(reported) {
		known[e.Error()] = true
	}
	return errors.Join(slices.DeleteFunc(single(err), func(e error) bool { return known[e.Error()] })...)
}

// single returns the errors that err joins.
func single(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, single(e)...)
	}
	return errs
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
