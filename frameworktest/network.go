package frameworktest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/waterfall"
)

// TrustDomain is the trust domain of every [Network].
const TrustDomain = "test"

// Network is a set of services that reach each other in memory. Make one with [NewNetwork]. Its methods may be called
// from the goroutine of the test only.
type Network struct {
	t      testing.TB
	dir    string
	engine *mem.Engine
	ring   *waterfall.Ring

	mu        sync.Mutex
	listeners map[string]*listener
	count     int

	scripts map[*Faults][]*framework.Server

	apps      []*framework.App
	processes map[*framework.App]*process
}

// process is what an App would lose with its process.
type process struct {
	driver    driver.Driver
	listeners []*listener
	killed    atomic.Bool
}

// NewNetwork returns an empty network that ends with the test. When the test has failed, the waterfalls of its recent
// calls are logged.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	n := &Network{
		t:         t,
		dir:       filepath.Join(t.TempDir(), "state"),
		engine:    mem.New(),
		ring:      waterfall.NewRing(1000, waterfall.WithMessages()),
		listeners: map[string]*listener{},
		processes: map[*framework.App]*process{},
		scripts:   map[*Faults][]*framework.Server{},
	}
	t.Cleanup(n.checkScripts)
	waterfall.LogOnFailure(t, n.ring)
	return n
}

// App returns a service with an identity of its own in the network's trust domain, announced and found in the network's
// discovery. Several Apps of one name are replicas. Apps are closed at the end of the test.
func (n *Network) App(name string, opts ...framework.Option) *framework.App {
	n.t.Helper()
	id := n.Identity(name)
	p := &process{driver: n.engine.Driver()}
	base := []framework.Option{
		framework.WithIdentity(id),
		framework.WithDiscovery(p.driver),
		framework.WithEnviron(nil),
		framework.WithDevelopment(),
		framework.WithWaterfall(n.ring),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
		framework.WithDialer(n.Dial),
	}
	app := framework.New(name, append(base, opts...)...)
	n.apps = append(n.apps, app)
	n.processes[app] = p
	n.t.Cleanup(func() {
		if err := app.Close(); err != nil && !p.killed.Load() {
			n.t.Errorf("closing %s: %v", name, err)
		}
	})
	return app
}

// Identity returns an identity named service, with a new key that the whole network trusts.
func (n *Network) Identity(service string) *auth.Identity {
	n.t.Helper()
	domain, err := principal.ParseTrustDomain(TrustDomain)
	if err != nil {
		n.t.Fatal(err)
	}
	self, err := domain.ID(service)
	if err != nil {
		n.t.Fatal(err)
	}
	n.count++
	keyFile := filepath.Join(n.dir, "keys", fmt.Sprintf("%s-%d.jwk", service, n.count))
	id := auth.TrustDir(n.dir, self, auth.WithKeyFile(keyFile), auth.WithEnroll())
	if err := id.Check(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := id.Close(); err != nil {
			n.t.Errorf("closing the identity of %s: %v", service, err)
		}
	})
	return id
}

// Server returns a server of app that listens in memory.
func (n *Network) Server(app *framework.App, opts ...framework.ServerOption) *framework.Server {
	n.t.Helper()
	n.count++
	l := newListener(fmt.Sprintf("server-%d:443", n.count))
	if p := n.processes[app]; p != nil {
		p.listeners = append(p.listeners, l)
	}
	n.mu.Lock()
	n.listeners[l.addr] = l
	n.mu.Unlock()
	server := app.Server(l.addr, append([]framework.ServerOption{framework.WithListener(l)}, opts...)...)
	for _, o := range opts {
		if played, ok := o.(script); ok {
			n.scripts[played.faults] = append(n.scripts[played.faults], server)
		}
	}
	return server
}

// checkScripts fails the test for faults that no call can meet.
func (n *Network) checkScripts() {
	n.t.Helper()
	for faults, servers := range n.scripts {
		for _, method := range faults.unknown(servers) {
			n.t.Errorf("Faults: no server with the script has the method %q; write \"/package.Service/Method\"", method)
		}
	}
}

// Start runs every App made so far and returns when all of them are ready and known to discovery. The test fails when
// one of them refuses to run or stops with an error before the test ends.
func (n *Network) Start() {
	n.t.Helper()
	for _, app := range n.apps {
		if err := app.Check(); err != nil {
			n.t.Fatal(err)
		}
	}
	for _, app := range n.apps {
		n.Run(app)
	}
}

// Run runs one App and returns when it is ready. The returned function stops it and returns what Run returned. If it is
// not called, the App is stopped at the end of the test, which then fails on an error.
func (n *Network) Run(app *framework.App) (stop func() error) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	end := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		cancel()
		n.t.Fatalf("Run: %v", err)
	}
	taken := false
	n.t.Cleanup(func() {
		if err := end(); err != nil && !taken && !n.killed(app) {
			n.t.Errorf("Run: %v", err)
		}
	})
	return func() error {
		taken = true
		return end()
	}
}

// Engine is the discovery engine of the network, which may be taken down.
func (n *Network) Engine() *mem.Engine { return n.engine }

// Kill does to an App, as far as others can see, what kill -9 does to a process: its connections break, new ones are
// refused, and discovery shows it until its lease has run out. Nothing is asserted of how the App then ends.
func (n *Network) Kill(app *framework.App) {
	n.t.Helper()
	p := n.processes[app]
	if p == nil {
		n.t.Fatal("Kill: the App is not of this network")
	}
	p.killed.Store(true)
	if err := p.driver.Close(); err != nil {
		n.t.Errorf("Kill: %v", err)
	}
	for _, l := range p.listeners {
		l.kill()
	}
}

func (n *Network) killed(app *framework.App) bool {
	p := n.processes[app]
	return p != nil && p.killed.Load()
}

// Calls returns the recent calls of every App of the network, newest first.
func (n *Network) Calls() []waterfall.Call { return n.ring.Calls() }

// Dial connects to the server at addr, without any handshake.
func (n *Network) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: errors.New("no server at " + addr)}
	}
	return l.dial(ctx)
}
