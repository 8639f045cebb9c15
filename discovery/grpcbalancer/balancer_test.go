package grpcbalancer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are health servers at "one", "two" and "three".
type servers struct {
	listeners map[string]*bufconn.Listener
	health    map[string]*health.Server
	open      atomic.Int64                                 // connections
	meet      func(ctx context.Context, addr string) error // runs before each call is answered, if not nil
}

func serve(t *testing.T) *servers {
	s := &servers{listeners: make(map[string]*bufconn.Listener), health: make(map[string]*health.Server)}
	for _, addr := range []string{"one", "two", "three"} {
		l, h := bufconn.Listen(1<<16), health.NewServer()
		srv := grpc.NewServer(
			grpc.UnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
					if s.meet != nil {
						if err := s.meet(ctx, addr); err != nil {
							return nil, err
						}
					}
					return handler(ctx, req)
				},
			),
		)
		healthpb.RegisterHealthServer(srv, h)
		s.listeners[addr], s.health[addr] = l, h
		var serving sync.WaitGroup
		serving.Go(func() { _ = srv.Serve(l) })
		t.Cleanup(func() {
			h.Shutdown()
			srv.Stop()
			serving.Wait()
		})
	}
	return s
}

func (s *servers) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := s.listeners[addr].DialContext(ctx)
	if err != nil {
		return nil, err
	}
	s.open.Add(1)
	return conn{c, addr, sync.OnceFunc(func() { s.open.Add(-1) })}, nil
}

// conn is a connection to an address that reports when it is closed.
type conn struct {
	net.Conn
	addr   string
	closed func()
}

func (c conn) Close() error {
	c.closed()
	return c.Conn.Close()
}

func (c conn) RemoteAddr() net.Addr { return address(c.addr) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// channel makes a channel whose addresses the test sets.
func (s *servers) channel(t *testing.T, config string) (*grpc.ClientConn, *manual.Resolver) {
	r := manual.NewBuilderWithScheme("test")
	cc, err := grpc.NewClient("test:///", grpc.WithResolvers(r), grpc.WithContextDialer(s.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
	cc.Connect()
	synctest.Wait()
	return cc, r
}

func configOf(t *testing.T, child string) string {
	text, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{grpcbalancer.Config(child)},
		"healthCheckConfig":   map[string]any{"serviceName": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func endpoints(addresses ...string) resolver.State {
	var s resolver.State
	for _, addr := range addresses {
		s.Endpoints = append(s.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	return s
}

// ask makes a call and returns the server that answered.
func ask(t *testing.T, cc *grpc.ClientConn, opts ...grpc.CallOption) (string, error) {
	synctest.Wait()
	var p peer.Peer
	_, err := healthpb.NewHealthClient(cc).
		Check(t.Context(), &healthpb.HealthCheckRequest{}, append(opts, grpc.Peer(&p))...)
	if p.Addr == nil {
		return "", err
	}
	return p.Addr.String(), err
}

func spread(t *testing.T, cc *grpc.ClientConn) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for range 10 {
		addr, err := ask(t, cc, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		count[addr]++
	}
	return count
}

// An attempt learns whether the service has endpoints. Without endpoints there is no connection to wait for.
func TestAttemptKnowsWhetherThereAreEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc, r := serve(t).channel(t, configOf(t, "round_robin"))
		for _, servers := range [][]string{{}, {"one"}} {
			r.UpdateState(endpoints(servers...))
			synctest.Wait()
			ctx, a := attempt.NewContext(t.Context(), 1, false, nil)
			_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{})
			if (err == nil) != slices.Equal(servers, []string{"one"}) || a.Nowhere() != (len(servers) == 0) {
				t.Errorf("of %q: %v; nowhere is %v", servers, err, a.Nowhere())
			}
		}
	})
}

func TestResolverErrorIsWhatCallsFailWith(t *testing.T) {
	for _, child := range []string{"round_robin", "pick_first"} {
		t.Run(child, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc, r := serve(t).channel(t, configOf(t, child))
				fails := func(want string) {
					t.Helper()
					_, err := ask(t, cc)
					if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != want {
						t.Errorf("got %v; want UNAVAILABLE with %q", err, want)
					}
				}
				r.CC().ReportError(errors.New("the engine is down"))
				fails("the engine is down")
				r.UpdateState(endpoints())
				fails("the service has no instances")
				r.CC().ReportError(errors.New("no instance is registered"))
				fails("no instance is registered")

				r.UpdateState(endpoints("one"))
				if got := spread(t, cc); got["one"] != 10 {
					t.Errorf("calls went to %v; want all to the one server", got)
				}
				r.CC().ReportError(errors.New("the engine is down"))
				if got := spread(t, cc); got["one"] != 10 {
					t.Errorf("after an error beside a good list calls went to %v", got)
				}
				r.UpdateState(endpoints())
				fails("the service has no instances")
				r.UpdateState(endpoints("two"))
				if got := spread(t, cc); got["two"] != 10 {
					t.Errorf("calls went to %v; want all to the new server", got)
				}
			})
		})
	}
}

func TestChildPolicyChooses(t *testing.T) {
	for _, tt := range []struct {
		child string
		want  map[string]int
	}{
		{"round_robin", map[string]int{"one": 5, "two": 5}},
		{"pick_first", map[string]int{"one": 10}},
	} {
		t.Run(tt.child, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc, r := serve(t).channel(t, configOf(t, tt.child))
				r.UpdateState(endpoints("one", "two"))
				got := spread(t, cc)
				for addr, n := range tt.want {
					if got[addr] != n {
						t.Errorf("calls went to %v; want %v", got, tt.want)
					}
				}
			})
		})
	}
}

func TestHealthChecksWorkThroughThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, configOf(t, "round_robin"))
		r.UpdateState(endpoints("one", "two"))
		s.health["one"].SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		if got := spread(t, cc); got["two"] != 10 {
			t.Errorf("calls went to %v; want none to the server that does not serve", got)
		}
		s.health["one"].SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
		if got := spread(t, cc); got["one"] != 5 {
			t.Errorf("calls went to %v; want half to each", got)
		}
	})
}

func TestServiceConfigMayChangeTheChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := serve(t)
		cc, r := servers.channel(t, configOf(t, "pick_first"))
		r.UpdateState(endpoints("one", "two"))
		if got := spread(t, cc); got["one"] != 10 {
			t.Fatalf("calls went to %v; want pick_first", got)
		}
		s := endpoints("one", "two")
		s.ServiceConfig = r.CC().ParseServiceConfig(configOf(t, "round_robin"))
		r.UpdateState(s)
		if got := spread(t, cc); got["one"] != 5 {
			t.Errorf("calls went to %v; want round_robin", got)
		}
		synctest.Wait()
		if n := servers.open.Load(); n != 2 {
			t.Errorf("%d connections are open; want one to each server, and none of the former policy", n)
		}
	})
}
