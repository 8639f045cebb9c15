package grpcbalancer_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

// counted is a channel with EndpointStates, and their log.
type counted struct {
	*grpc.ClientConn
	*manual.Resolver

	states *grpcbalancer.EndpointStates
	end    func() // closes the channel, once
	mu     sync.Mutex
	log    bytes.Buffer
}

// Write adds a line to the log.
func (c *counted) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(line)
}

func (s *servers) counted(t *testing.T, b grpcbalancer.Balancing, opts ...grpc.DialOption) *counted {
	c := &counted{Resolver: manual.NewBuilderWithScheme("test")}
	c.states = grpcbalancer.NewEndpointStates(
		slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	)
	var err error
	c.ClientConn, err = grpc.NewClient("test:///", append([]grpc.DialOption{
		grpc.WithResolvers(c.states.Resolver(c.Resolver)), grpc.WithContextDialer(s.dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(textOf(t, b)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.end = sync.OnceFunc(func() {
		if err := c.ClientConn.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(c.end)
	if got, ok := c.states.Count(); ok {
		t.Errorf("before anything is resolved there are %v", got)
	}
	c.Connect()
	synctest.Wait()
	return c
}

// logged returns the log lines since its last call.
func (c *counted) logged() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.log.Reset()
	return c.log.String()
}

func (c *counted) expect(t *testing.T, when string, want grpcbalancer.EndpointCounts, logged string) {
	t.Helper()
	synctest.Wait()
	if got, ok := c.states.Count(); got != want || !ok {
		t.Errorf("%s there are %v (known: %v); want %v", when, got, ok, want)
	}
	if got := c.logged(); got != logged {
		t.Errorf("%s the log says\n%swant\n%s", when, got, logged)
	}
}

func TestOutliersAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		c := s.counted(t, grpcbalancer.Balancing{Policy: grpcbalancer.RoundRobin, Outliers: &grpcbalancer.Outliers{}})
		c.UpdateState(endpoints("one", "two", "three"))
		c.expect(t, "at first", grpcbalancer.EndpointCounts{Usable: 3}, "")
		s.failing(codes.Internal, "one")
		tryAll(t, c.ClientConn, 100)
		c.expect(
			t,
			"while one rests",
			grpcbalancer.EndpointCounts{Usable: 2, Resting: 1},
			"level=WARN msg=\"an outlier rests, because it fails far more than the other instances\" endpoint=one rest=30s "+
				"calls=20 failures=20\n",
		)
		time.Sleep(30*time.Second - time.Nanosecond)
		c.expect(t, "until its rest is over", grpcbalancer.EndpointCounts{Usable: 2, Resting: 1}, "")
		time.Sleep(time.Nanosecond)
		c.expect(t, "when it is", grpcbalancer.EndpointCounts{Usable: 3},
			"level=INFO msg=\"the rest of an outlier is over; it gets calls again\" endpoint=one\n")
	})
}

// An endpoint that is gone does not come back.
func TestStatesForgetARemovedOutlier(t *testing.T) {
	for _, tt := range []struct {
		name string
		gone func(*counted)
		want grpcbalancer.EndpointCounts
	}{
		{
			"from the service", func(c *counted) { c.UpdateState(endpoints("two", "three")) },
			grpcbalancer.EndpointCounts{Usable: 2},
		},
		{"with the channel", func(c *counted) { c.end() }, grpcbalancer.EndpointCounts{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				c := s.counted(t, grpcbalancer.Balancing{Policy: grpcbalancer.RoundRobin, Outliers: &grpcbalancer.Outliers{}})
				c.UpdateState(endpoints("one", "two", "three"))
				s.failing(codes.Internal, "one")
				tryAll(t, c.ClientConn, 100)
				c.logged()
				tt.gone(c)
				time.Sleep(time.Minute)
				c.expect(t, "a minute later", tt.want, "")
			})
		})
	}
}

func TestStatesCountPausesAndHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		c := s.counted(t, grpcbalancer.Balancing{}, grpc.WithIdleTimeout(time.Hour))
		c.UpdateState(endpoints("one", "two", "three"))
		s.meet = func(ctx context.Context, addr string) error {
			if addr != "one" {
				return nil
			}
			if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "5000")); err != nil {
				return err
			}
			return status.Error(codes.ResourceExhausted, "busy")
		}
		tryAll(t, c.ClientConn, 3)
		s.health["two"].SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		c.expect(
			t,
			"with one that is busy and one that is ill",
			grpcbalancer.EndpointCounts{Usable: 1, Paused: 1, Unready: 1},
			"",
		)
		time.Sleep(5 * time.Second)
		s.health["two"].SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
		c.expect(t, "afterwards", grpcbalancer.EndpointCounts{Usable: 3}, "")
		time.Sleep(time.Hour)
		c.expect(t, "in idleness", grpcbalancer.EndpointCounts{}, "")
		c.Connect()
		c.expect(t, "when the channel wakes", grpcbalancer.EndpointCounts{Usable: 3}, "")
	})
}

func TestStatesForgetAClosedPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t).counted(t, grpcbalancer.Balancing{Policy: leavesName}, grpc.WithIdleTimeout(time.Hour))
		s := endpoints("one", "two")
		for _, e := range s.Endpoints { // such policies know addresses alone
			s.Addresses = append(s.Addresses, e.Addresses...)
		}
		c.UpdateState(s)
		c.expect(t, "at first", grpcbalancer.EndpointCounts{Usable: 2}, "")
		time.Sleep(time.Hour)
		c.expect(t, "in idleness", grpcbalancer.EndpointCounts{}, "")
	})
}

func TestTheSubsetIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t).counted(t, grpcbalancer.Balancing{Subset: grpcbalancer.Subset{Above: 2, Size: 1}})
		for _, tt := range []struct {
			addresses []string
			connected int
			logged    string
		}{
			{[]string{"one", "two"}, 2, ""},
			{
				[]string{"one", "two", "three"},
				1,
				"level=INFO msg=\"the service is large; the channel connects to a subset\" subset=1 instances=3\n",
			},
			{[]string{"three", "two", "one"}, 1, ""},
			{[]string{"two", "one"}, 2, "level=INFO msg=\"the channel connects to every instance again\" instances=2\n"},
		} {
			c.UpdateState(endpoints(tt.addresses...))
			c.expect(t, "of "+tt.addresses[0]+" and others", grpcbalancer.EndpointCounts{Usable: tt.connected}, tt.logged)
		}
	})
}

func TestEndpointsAreShownByState(t *testing.T) {
	for want, e := range map[string]grpcbalancer.EndpointCounts{
		"":                                {},
		"3 usable":                        {Usable: 3},
		"1 unready":                       {Unready: 1},
		"17 usable, 2 resting, 1 unready": {Usable: 17, Resting: 2, Unready: 1},
		"1 usable, 1 resting, 1 paused":   {Usable: 1, Resting: 1, Paused: 1},
	} {
		if got := e.String(); got != want {
			t.Errorf("%#v is shown as %q; want %q", e, got, want)
		}
	}
}
