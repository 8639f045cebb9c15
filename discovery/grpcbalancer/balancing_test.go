package grpcbalancer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

func TestMistakesInBalancing(t *testing.T) {
	for _, tt := range []struct {
		balancing grpcbalancer.Balancing
		want      string // in the error; "" when there is none
	}{
		{grpcbalancer.Balancing{}, ""},
		{grpcbalancer.Balancing{Policy: "least_request_experimental"}, ""},
		{
			grpcbalancer.Balancing{Policy: "roundrobin"},
			`this program does not know the balancing policy "roundrobin"; use one of least_request, pick_first, ring_hash, round_robin, weighted_round_robin, zone_weighted, or`,
		},
		{grpcbalancer.Balancing{Policy: grpcbalancer.RingHash, HashMetadata: "user-id"}, ""},
		{grpcbalancer.Balancing{Policy: grpcbalancer.RingHash, HashMetadata: "user-bin"}, `metadata "user-bin"`},
		{
			grpcbalancer.Balancing{Policy: grpcbalancer.LeastRequest, HashMetadata: "user-id"},
			"only the balancing policy ring_hash uses a hash key",
		},
		{grpcbalancer.Balancing{Subset: grpcbalancer.Subset{Above: 10, Size: 11}}, "a size of 11 above 10"},
		{grpcbalancer.Balancing{Subset: grpcbalancer.Subset{Size: -1}}, ""},
		{grpcbalancer.Balancing{Outliers: &grpcbalancer.Outliers{Rest: time.Hour}}, "a rest of 1h0m0s"},
		{grpcbalancer.Balancing{Outliers: &grpcbalancer.Outliers{Interval: -1}}, "an interval of -1ns"},
		{grpcbalancer.Balancing{Outliers: &grpcbalancer.Outliers{MinCalls: -1}}, "-1 calls"},
		{grpcbalancer.Balancing{Outliers: &grpcbalancer.Outliers{FailurePercent: 101}}, "101% failures"},
	} {
		err := tt.balancing.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v; want %q", tt.balancing, err, tt.want)
		}
	}
}

func TestBalancingByName(t *testing.T) {
	for _, tt := range []struct {
		policy string
		want   map[string]int // of 30 calls; nil when it depends
	}{
		{"", map[string]int{"one": 10, "two": 10, "three": 10}},
		{grpcbalancer.RoundRobin, map[string]int{"one": 10, "two": 10, "three": 10}},
		{grpcbalancer.PickFirst, map[string]int{"one": 30}},
		{grpcbalancer.LeastRequest, nil},
		{grpcbalancer.WeightedRoundRobin, map[string]int{"one": 10, "two": 10, "three": 10}},
		{grpcbalancer.RingHash, nil},
		{"ring_hash_experimental", nil},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc, r := serve(t).channel(t, textOf(t, grpcbalancer.Balancing{Policy: tt.policy}))
				r.UpdateState(endpoints("one", "two", "three"))
				spread(t, cc)
				got := among(t, cc, 30)
				for addr, n := range tt.want {
					if got[addr] != n {
						t.Errorf("calls went to %v; want %v", got, tt.want)
					}
				}
			})
		})
	}
}

// While one server answers nothing, it gets calls only when both random choices fall on it: a ninth of them.
func TestLeastRequestAvoidsWhoIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, textOf(t, grpcbalancer.Balancing{Policy: grpcbalancer.LeastRequest}))
		r.UpdateState(endpoints("one", "two", "three"))
		spread(t, cc)
		release := make(chan struct{})
		var held atomic.Int64
		s.meet = func(_ context.Context, addr string) error {
			if addr == "one" {
				held.Add(1)
				<-release
			}
			return nil
		}
		var calls sync.WaitGroup
		for range 300 {
			calls.Go(func() {
				_, _ = healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{})
			})
			synctest.Wait()
		}
		if n := held.Load(); n > 70 {
			t.Errorf("%d of 300 calls went to the server that answers nothing, want about 33", n)
		}
		close(release)
		calls.Wait()
	})
}

func keyed(t *testing.T, cc *grpc.ClientConn, key string, byMetadata bool) string {
	t.Helper()
	ctx := grpcbalancer.WithHashKey(t.Context(), key)
	if byMetadata {
		ctx = metadata.AppendToOutgoingContext(t.Context(), "user-id", key)
	}
	var p peer.Peer
	if _, err := healthpb.NewHealthClient(cc).Check(
		ctx, &healthpb.HealthCheckRequest{}, grpc.Peer(&p), grpc.WaitForReady(true),
	); err != nil {
		t.Fatal(err)
	}
	return p.Addr.String()
}

// A key goes to one server; keys of a server that is gone move, and most of the others stay. Some do not, since the
// ring keeps its size.
func TestRingHashKeepsKeysTogether(t *testing.T) {
	for name, metadata := range map[string]string{"by metadata": "user-id", "by context": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cc, r := serve(
					t,
				).channel(t, textOf(t, grpcbalancer.Balancing{Policy: grpcbalancer.RingHash, HashMetadata: metadata}))
				r.UpdateState(endpoints("one", "two", "three"))
				home, count := map[string]string{}, map[string]int{}
				for i := range 90 {
					key := fmt.Sprint("user ", i)
					home[key] = keyed(t, cc, key, metadata != "")
					count[home[key]]++
					if again := keyed(t, cc, key, metadata != ""); again != home[key] {
						t.Fatalf("%s went to %s and to %s", key, home[key], again)
					}
				}
				if len(count) != 3 || count["one"] < 15 || count["two"] < 15 || count["three"] < 15 {
					t.Errorf("90 keys are at %v; want about a third at each", count)
				}
				r.UpdateState(endpoints("one", "two"))
				moved := 0
				for key, was := range home {
					if now := keyed(t, cc, key, metadata != ""); was != "three" && now != was {
						moved++
					}
				}
				if stayed := count["one"] + count["two"]; moved > stayed/4 {
					t.Errorf("%d of %d keys moved, though their servers stayed", moved, stayed)
				}
			})
		})
	}
}

// The key is for the policy; the server does not see it.
func TestHashKeyIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		var seen metadata.MD
		s.meet = func(ctx context.Context, _ string) error {
			seen, _ = metadata.FromIncomingContext(ctx)
			return nil
		}
		cc, r := s.channel(t, textOf(t, grpcbalancer.Balancing{Policy: grpcbalancer.RingHash}))
		r.UpdateState(endpoints("one"))
		keyed(t, cc, "secret", false)
		for key, values := range seen {
			if strings.Contains(key, "hash") || strings.Contains(strings.Join(values, ""), "secret") {
				t.Errorf("the server received %s: %v", key, values)
			}
		}
	})
}

// Above the bound a channel connects to the subset; when the service grows or shrinks over it, nothing that stays is
// connected anew.
func TestSubsetOfALargeService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, textOf(t, grpcbalancer.Balancing{Subset: grpcbalancer.Subset{Above: 2, Size: 1}}))
		open := func() int64 { synctest.Wait(); return s.open.Load() }
		r.UpdateState(endpoints("one", "two"))
		if got := among(t, cc, 10); len(got) != 2 || open() != 2 {
			t.Errorf("of two servers %v are called over %d connections; want both", got, open())
		}
		r.UpdateState(endpoints("one", "two", "three"))
		first := among(t, cc, 10)
		if len(first) != 1 || open() != 1 {
			t.Errorf("of three servers %v are called over %d connections; want one", first, open())
		}
		r.UpdateState(endpoints("three", "two", "one"))
		if again := among(t, cc, 10); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("the same servers in another order: %v instead of %v", again, first)
		}
	})
}
