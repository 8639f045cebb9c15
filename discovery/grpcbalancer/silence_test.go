package grpcbalancer_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

// freezer makes servers as silent as a stopped process: connections stay open, and nothing comes from them.
type freezer struct {
	*servers
	mu      sync.Mutex
	resumed map[string]chan struct{} // of the frozen servers, closed at the end of it
}

func (f *freezer) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := f.servers.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &freezable{Conn: c, addr: addr, freezer: f, closed: make(chan struct{})}, nil
}

func (f *freezer) freeze(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resumed[addr] = make(chan struct{})
}

func (f *freezer) resume(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.resumed[addr])
	delete(f.resumed, addr)
}

type freezable struct {
	net.Conn
	addr    string
	freezer *freezer
	closed  chan struct{}
	once    sync.Once
}

func (c *freezable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.freezer.mu.Lock()
	resumed := c.freezer.resumed[c.addr]
	c.freezer.mu.Unlock()
	if resumed != nil {
		select {
		case <-resumed:
		case <-c.closed:
		}
	}
	return n, err
}

func (c *freezable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// freezing makes a channel to servers that can be frozen, with or without the dialer that observes bytes.
func freezing(t *testing.T, observe bool, addresses ...string) (*freezer, *counted) {
	f := &freezer{servers: serve(t), resumed: make(map[string]chan struct{})}
	dial := f.dial
	if observe {
		dial = grpcbalancer.Dialer(dial)
	}
	c := f.counted(t, grpcbalancer.Balancing{Policy: grpcbalancer.RoundRobin}, grpc.WithContextDialer(dial))
	c.UpdateState(endpoints(addresses...))
	synctest.Wait()
	return f, c
}

// repeatable makes a call whose attempt may be followed by another one, and returns where it was sent, whether it was
// ended because of silence, and how it ended.
func repeatable(t *testing.T, cc *grpc.ClientConn, timeout time.Duration) (endpoint string, silenced bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ctx, this := attempt.NewContext(metadata.AppendToOutgoingContext(ctx, "user", "yes"), 1, false, nil)
	ctx, end := context.WithCancel(ctx)
	defer end()
	this.EndOnSilence(time.Now().Add(timeout), end)
	_, err = healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	silenced = this.Left()
	return this.Choice().Endpoint, silenced, err
}

// A server that is stopped rests less than a second later, the attempts that wait for it are ended, and it is back with
// the first byte.
func TestASilentEndpointRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := freezing(t, true, "one", "two", "three")
		spread(t, c.ClientConn)
		c.logged()
		f.freeze("one")
		var ended int
		began := time.Now()
		for range 6 {
			endpoint, silenced, err := repeatable(t, c.ClientConn, 10*time.Second)
			if silenced != (endpoint == "one") || silenced != (status.Code(err) == codes.Canceled) {
				t.Errorf("the attempt at %s was ended: %v, %v", endpoint, silenced, err)
			}
			if silenced {
				ended++
			}
		}
		if took := time.Since(began); ended != 1 || took > 950*time.Millisecond {
			t.Errorf("%d attempts were ended within %v; want one, within 950ms", ended, took)
		}
		c.expect(t, "while one is silent", grpcbalancer.EndpointCounts{Usable: 2, Resting: 1},
			"level=WARN msg=\"an instance is silent: it does not even answer a health check\" "+
				"endpoint=one attempts_ended=1\n")
		if got := among(t, c.ClientConn, 60); got["one"] != 0 {
			t.Errorf("%d of 60 calls went to the silent one", got["one"])
		}
		f.resume("one")
		time.Sleep(100 * time.Millisecond)
		c.expect(t, "when it is back", grpcbalancer.EndpointCounts{Usable: 3},
			"level=INFO msg=\"a silent instance answers again\" endpoint=one\n")
		if got := among(t, c.ClientConn, 60); got["one"] != 20 {
			t.Errorf("%d of 60 calls went to the one that is back", got["one"])
		}
	})
}

func TestWhoIsNotSilent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		observe bool
		freeze  []string
		all     []string
		slow    bool
		ended   int // of four attempts
	}{
		{"a server that answers slowly", true, nil, []string{"one", "two"}, true, 0},
		{"the only server, since there is nothing better", true, []string{"one"}, []string{"one"}, false, 0},
		{"the last of servers that are all silent", true, []string{"one", "two"}, []string{"one", "two"}, false, 1},
		{"a server of a channel that does not observe bytes", false, []string{"one"}, []string{"one", "two"}, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := freezing(t, tt.observe, tt.all...)
				spread(t, c.ClientConn)
				if tt.slow {
					f.meet = func(ctx context.Context, _ string) error {
						if md, _ := metadata.FromIncomingContext(ctx); len(md["user"]) > 0 {
							time.Sleep(time.Minute)
						}
						return nil
					}
				}
				for _, addr := range tt.freeze {
					f.freeze(addr)
				}
				ended := 0
				for range 4 {
					if _, silenced, _ := repeatable(t, c.ClientConn, 2*time.Minute); silenced {
						ended++
					}
				}
				if ended != tt.ended {
					t.Errorf("%d attempts were ended; want %d", ended, tt.ended)
				}
				for _, addr := range tt.freeze {
					f.resume(addr)
				}
			})
		})
	}
}
