// Package xds runs whole services under a control plane of xDS.
package xds

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery/xds"
	"github.com/parley-rpc/parley/discovery/xds/xdstest"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/waterfall"
)

func TestMain(m *testing.M) { os.Exit(xdstest.Main(m)) }

// payments takes 20ms for everything, and counts its calls.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	quotes  atomic.Int64
	charges atomic.Int64
	fail    atomic.Pointer[error] // what quotes end with
	callers sync.Map              // by ID
	orders  sync.Map              // the charged ones
}

func (p *payments) work(ctx context.Context, done *atomic.Int64) error {
	if peer, ok := principal.PeerFromContext(ctx); ok {
		p.callers.Store(peer.ID.String(), peer.Carrier.String())
	}
	done.Add(1)
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	err := p.work(ctx, &p.quotes)
	if wrong := p.fail.Load(); wrong != nil {
		err = *wrong
	}
	return &paymentsv1.GetQuoteResponse{}, err
}

func (p *payments) Charge(ctx context.Context, req *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	if _, again := p.orders.LoadOrStore(req.GetOrderId(), nil); again {
		return nil, status.Errorf(codes.AlreadyExists, "order %s is charged again", req.GetOrderId())
	}
	return &paymentsv1.ChargeResponse{}, p.work(ctx, &p.charges)
}

func (p *payments) WatchCharge(
	_ *paymentsv1.WatchChargeRequest,
	stream grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	return stream.Send(&paymentsv1.WatchChargeResponse{State: "authorized"})
}

// shop is a trust domain whose services find each other by a control plane.
type shop struct {
	t     testing.TB
	plane *xdstest.ControlPlane
	dir   string
	cert  string // files, of a certificate for payments that vouches for itself
	key   string
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{t: t, plane: xdstest.Start(t), dir: t.TempDir()}
	s.cert, s.key = s.certificate("payments")
	return s
}

// certificate writes a certificate for a TLS name.
func (s *shop) certificate(name string) (cert, key string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	cert = s.write(name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = s.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return cert, key
}

func (s *shop) write(name string, content []byte) (path string) {
	s.t.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// app is a service of the shop. Config is the rest of its configuration.
func (s *shop) app(service, config string, opts ...framework.Option) *framework.App {
	s.t.Helper()
	id, err := principal.ParseID("spiffe://shop.example/" + service)
	if err != nil {
		s.t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	identity := auth.TrustDir(filepath.Join(s.dir, "state"), id, auth.WithEnroll(), auth.WithLogger(quiet))
	app := framework.New(service, slices.Concat([]framework.Option{
		framework.WithIdentity(
			identity,
		), framework.WithEnviron(nil), framework.WithLogger(quiet), framework.WithControlPlane(xds.New()),
		framework.WithConfigFile(s.write(fmt.Sprintf("%s-%d.yaml", service, time.Now().UnixNano()), []byte(config))),
	}, opts)...)
	s.t.Cleanup(func() {
		if err := errors.Join(app.Close(), identity.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return app
}

// replica is one payments of the shop.
type replica struct {
	*payments

	app     *framework.App
	address string
	log     *lockedBuffer
	stop    func()
	end     func() // as a crash
}

// open starts a payments that serves as the control plane configures its listener, which is all that tls leaves out
// where it is nil. It does not wait until the service is ready.
func (s *shop) open(config string) *replica {
	s.t.Helper()
	l, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	doomed := &doomedListener{Listener: l}
	r := &replica{payments: &payments{}, address: l.Addr().String(), log: &lockedBuffer{}}
	r.app = s.app("payments", config, framework.WithLogger(slog.New(slog.NewTextHandler(r.log, nil))))
	server := r.app.Server(r.address, framework.WithListener(doomed), framework.WithControlledListener())
	paymentsv1.RegisterPaymentsServiceServer(server, r.payments)
	ctx, cancel := context.WithCancel(context.Background())
	ended, crashed := make(chan error, 1), false
	go func() { ended <- r.app.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !crashed {
			s.t.Errorf("Run: %v", err)
		}
	})
	r.end = func() { crashed = true; doomed.kill() }
	s.t.Cleanup(r.stop)
	return r
}

// fallback is the configuration of a payments with a certificate of its own.
func (s *shop) fallback() string {
	return fmt.Sprintf(
		"servers: {payments: {carriers: [token], tls: {cert: %q, key: %q}}}\nlifecycle: {announce: 300ms, quiet: 2s}\n",
		s.cert,
		s.key,
	)
}

// start opens a payments with a certificate of its own, and waits until it is ready.
func (s *shop) start() *replica {
	s.t.Helper()
	r := s.open(s.fallback())
	s.plane.Put(xdstest.NewListener(s.t, r.address))
	s.ready(r)
	return r
}

func (s *shop) ready(r *replica) {
	s.t.Helper()
	select {
	case <-r.app.Ready():
	case <-time.After(20 * time.Second):
		s.t.Fatalf("payments is not ready:\n%s", r.log)
	}
}

// offer publishes the endpoints of payments.
func (s *shop) offer(replicas ...*replica) {
	s.t.Helper()
	s.plane.Put(s.service(replicas...).Resources()...)
}

func (s *shop) service(replicas ...*replica) *xdstest.Service {
	s.t.Helper()
	addresses := make([]string, len(replicas))
	for i, r := range replicas {
		addresses[i] = r.address
	}
	return xdstest.NewService(s.t, "payments", addresses...)
}

// caller is a client of payments with its spans.
type caller struct {
	paymentsv1.PaymentsServiceClient

	ring *waterfall.Ring
}

func (s *shop) caller(opts ...framework.ClientOption) *caller {
	s.t.Helper()
	c := &caller{ring: waterfall.NewRing(100)}
	orders := s.app(
		"orders",
		fmt.Sprintf("clients: {payments: {target: 'xds:///payments', mode: token, ca_file: %q}}\n", s.cert),
		framework.WithWaterfall(c.ring),
		framework.WithDevelopment(),
	)
	c.PaymentsServiceClient = paymentsv1.NewPaymentsServiceClient(orders.Client("payments", opts...))
	return c
}

func (c *caller) quote(ctx context.Context, opts ...grpc.CallOption) error {
	_, err := c.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}, opts...)
	return err
}

func (c *caller) charge(ctx context.Context, opts ...grpc.CallOption) error {
	_, err := c.Charge(ctx, &paymentsv1.ChargeRequest{OrderId: rand.Text()}, opts...)
	return err
}

// doomedListener can be killed with all of its connections.
type doomedListener struct {
	net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

func (d *doomedListener) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err == nil {
		d.mu.Lock()
		d.conns = append(d.conns, c)
		d.mu.Unlock()
	}
	return c, err
}

func (d *doomedListener) kill() {
	_ = d.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
