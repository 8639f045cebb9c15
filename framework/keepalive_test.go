package framework_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// lines are the connections of a client, which can go silent: what is written is lost, and nothing is read, but neither
// end learns of it, as when the other machine has vanished.
type lines struct {
	network *frameworktest.Network
	mu      sync.Mutex
	silent  map[string]bool // addresses to which not even new connections are answered
	all     []*line
}

type line struct {
	net.Conn
	addr string

	mu     sync.Mutex
	silent bool
	closed chan struct{}
	once   sync.Once
}

func newLines(n *frameworktest.Network) *lines {
	return &lines{network: n, silent: make(map[string]bool)}
}

func (l *lines) option() framework.ClientOption { return framework.WithDialer(l.dial) }

func (l *lines) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := l.network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &line{Conn: conn, addr: addr, silent: l.silent[addr], closed: make(chan struct{})}
	l.all = append(l.all, c)
	return c, nil
}

// silence makes the present connections to one server silent, and the later ones where forGood is set.
func (l *lines) silence(forGood bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	addr := l.all[0].addr
	l.silent[addr] = forGood
	for _, c := range l.all {
		if c.addr == addr {
			c.mu.Lock()
			c.silent = true
			c.mu.Unlock()
		}
	}
}

func (c *line) isSilent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent
}

func (c *line) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.isSilent() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *line) Write(b []byte) (int, error) {
	if c.isSilent() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Close leaves the other end without a word where the connection is silent.
func (c *line) Close() error {
	c.once.Do(func() { close(c.closed) })
	if c.isSilent() {
		return nil
	}
	return c.Conn.Close()
}

// hangUp closes the connections for good at the end of a test.
func (l *lines) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.all {
		_ = c.Conn.Close()
	}
}

func TestASilentPeerIsLeftWithin15Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		ways := newLines(n)
		defer ways.hangUp()
		replica(n, &bank{})
		calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", ways.option()))
		n.Start()
		charge := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := calls.Charge(ctx, &paymentsv1.ChargeRequest{})
			return err
		}
		if err := charge(); err != nil {
			t.Fatal(err)
		}
		ways.silence(false)
		began, failed := time.Now(), time.Duration(0)
		for time.Since(began) < time.Minute {
			at := time.Since(began)
			if err := charge(); err != nil {
				failed = at
			}
			time.Sleep(100 * time.Millisecond)
		}
		if failed == 0 || failed > 15*time.Second {
			t.Errorf("the last call that failed began %v after the silence; want some, and none after 15s", failed)
		}
	})
}

// A client asks a quiet server every 10s, and the server takes that.
func TestAQuietConnectionOutlivesItsPings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		replica(n, &bank{watch: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(55 * time.Second):
				return nil
			}
		}})
		calls := client(n)
		n.Start()
		for range 5 {
			stream, err := calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
			for err == nil {
				_, err = stream.Recv()
			}
			if err.Error() != "EOF" {
				t.Fatalf("a quiet stream ended with %v", err)
			}
		}
	})
}

// The handler of a stream learns that its client has vanished.
func TestStreamsToVanishedClientsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		ways := newLines(n)
		defer ways.hangUp()
		ended := make(chan time.Time, 1)
		replica(n, &bank{watch: func(ctx context.Context) error {
			<-ctx.Done()
			ended <- time.Now()
			return ctx.Err()
		}})
		calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", ways.option()))
		n.Start()
		stream, err := calls.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		ways.silence(true)
		began := time.Now()
		if at := (<-ended).Sub(began); at > 30*time.Second {
			t.Errorf("the handler of a vanished client ended after %v; want at most 30s", at)
		}
	})
}

func TestKeepaliveIsConfigured(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ client, server, want string }{
		{"{}", "{}", ""},
		{"{time: 0s}", "{time: 0s}", ""},
		{"{time: 30s, timeout: 20s}", "{time: 1s, timeout: 1s}", ""},
		{"{time: 9s}", "{}", "clients.payments: keepalive.time: 9s is too short; want at least 10s, or 0s for never"},
		{"{timeout: 10ms}", "{}", "clients.payments: keepalive.timeout: 10ms is too short; want at least 1s"},
		{"{}", "{time: 1ms}", "servers.orders: keepalive.time: 1ms is too short; want at least 1s, or 0s for never"},
	} {
		config := fmt.Sprintf(
			"clients: {payments: {keepalive: %s}}\nservers: {orders: {keepalive: %s}}\n",
			tt.client,
			tt.server,
		)
		app := framework.New("orders", framework.WithInsecureDev(), framework.WithEnviron(nil),
			framework.WithConfigFile(writeFile(t, config)))
		app.Client("payments", framework.WithTarget("passthrough:///127.0.0.1:1"))
		paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:0"), &bank{})
		if err := app.Check(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: Check returns %v; want %q", tt.client, tt.server, err, tt.want)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A connection that was lost is opened again soon, so that a server that restarts quickly is hardly missed.
func TestAConnectionIsOpenedAgainAtOnce(t *testing.T) {
	t.Parallel()
	for _, down := range []time.Duration{
		10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := frameworktest.NewNetwork(t)
			var mu sync.Mutex
			refusing := false
			var open []net.Conn
			dial := framework.WithDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if refusing {
					return nil, fmt.Errorf("connection refused by %s", addr)
				}
				conn, err := n.Dial(ctx, addr)
				open = append(open, conn)
				return conn, err
			})
			replica(n, &bank{})
			calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", dial))
			n.Start()
			if _, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{}); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			refusing = true
			for _, conn := range open {
				_ = conn.Close()
			}
			mu.Unlock()
			time.Sleep(down)
			mu.Lock()
			refusing = false
			mu.Unlock()
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := calls.Charge(ctx, &paymentsv1.ChargeRequest{}, grpc.WaitForReady(true)); err != nil {
				t.Fatal(err)
			}
			// Waits grow by 1.6 and are random by a fifth.
			if took := time.Since(began); took > down+50*time.Millisecond {
				t.Errorf("after %v without a server it took %v until it was called again", down, took)
			}
		})
	}
}

// One of three replicas is stopped (SIGSTOP): its connections stay open, nothing comes from them, and new ones are not
// answered. No call that may be repeated fails; the others fail for as long as it takes to notice.
func TestASilentReplicaOfThreeUnderLoadFailsNoIdempotentCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		for range 3 {
			n.Run(busyReplica(n))
		}
		ways := newLines(n)
		defer ways.hangUp()
		calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", ways.option()))
		l := &load{t: t, client: calls}
		var mu sync.Mutex
		var began time.Time
		var last time.Duration
		failed := 0
		charge := func() {
			at := time.Now()
			_, err := calls.Charge(t.Context(), &paymentsv1.ChargeRequest{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed, last = failed+1, max(last, at.Sub(began))
			}
		}
		var charges sync.WaitGroup
		rate := loadRate()
		l.during(rate, true, func() {
			time.Sleep(time.Second)
			mu.Lock()
			began = time.Now()
			mu.Unlock()
			ways.silence(true)
			for time.Since(began) < 30*time.Second {
				charges.Go(charge)
				time.Sleep(time.Second / time.Duration(rate))
			}
			charges.Wait()
		})
		l.report(int64(rate) * 30)
		if failed == 0 || last > 3*time.Second {
			t.Errorf(
				"%d charges failed, the last of them began %v after the silence; want some, and none after 3s",
				failed,
				last,
			)
		}
		t.Logf("%d of %d charges failed, the last of them began %v after the silence", failed, rate*30, last)
	})
}

// The only replica restarts: its connections break while no call is out, and new ones are refused for a while. No call
// fails whose deadline allows that, whether or not it may be repeated.
func TestARestartOfTheOnlyReplicaFailsNoCall(t *testing.T) {
	t.Parallel()
	for _, down := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			n := frameworktest.NewNetwork(t)
			var mu sync.Mutex
			refusing := false
			var open []net.Conn
			dial := framework.WithDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if refusing {
					return nil, fmt.Errorf("connection refused by %s", addr)
				}
				conn, err := n.Dial(ctx, addr)
				if err == nil {
					open = append(open, conn)
				}
				return conn, err
			})
			replica(n, &bank{})
			calls := paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments", dial))
			n.Start()
			l := &load{t: t, client: calls}
			l.during(loadRate(), false, func() {
				for range 5 {
					time.Sleep(time.Second)
					mu.Lock()
					refusing = true
					for _, conn := range open {
						_ = conn.Close()
					}
					open = nil
					mu.Unlock()
					time.Sleep(down)
					mu.Lock()
					refusing = false
					mu.Unlock()
				}
				time.Sleep(time.Second)
			})
			l.report(int64(loadRate()) * 5)
		})
	}
}
