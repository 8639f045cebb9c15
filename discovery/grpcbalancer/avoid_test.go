package grpcbalancer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// send makes attempt number of a call and returns where it was sent.
func send(t *testing.T, cc *grpc.ClientConn, number int, tried ...string) (attempt.Choice, error) {
	t.Helper()
	ctx, this := attempt.NewContext(t.Context(), number, false, tried)
	_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	return this.Choice(), err
}

// A further attempt lands elsewhere every time, and when there is nothing else left it lands anywhere, after five more
// picks at most.
func TestScenario33And34FurtherAttemptsGoElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		child := countingPolicy(t, "counting")
		cc, r := serve(t).channel(t, configOf(t, child.name))
		r.UpdateState(endpoints("one", "two", "three"))
		spread(t, cc)
		for range 1000 {
			var tried []string
			for number := 1; number <= 4; number++ {
				child.picks.Store(0)
				choice, err := send(t, cc, number, tried...)
				if err != nil {
					t.Fatal(err)
				}
				for _, before := range tried {
					if number <= 3 && choice.Endpoint == before {
						t.Fatalf("attempt %d went to %s again; tried were %v", number, before, tried)
					}
				}
				if again := child.picks.Load() - 1; again > 5 {
					t.Fatalf("attempt %d took %d further picks, want at most 5", number, again)
				}
				tried = append(tried, choice.Endpoint)
			}
		}
		child.picks.Store(0)
		child.ended.Store(0)
		for range 100 {
			if _, err := send(t, cc, 2, "one", "two", "three"); err != nil {
				t.Fatal(err)
			}
		}
		if picks, ended := child.picks.Load(), child.ended.Load(); picks != 600 || ended != picks {
			t.Errorf("%d picks, of which %d ended; want 6 for each of 100 calls, all ended", picks, ended)
		}
	})
}

func TestConsistentHashingIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		child := countingPolicy(t, "ring_hash_counting")
		cc, r := serve(t).channel(t, configOf(t, child.name))
		r.UpdateState(endpoints("one", "two", "three"))
		spread(t, cc)
		child.picks.Store(0)
		for range 20 {
			choice, err := send(t, cc, 2, "one", "two", "three")
			if err != nil {
				t.Fatal(err)
			}
			if !choice.Alone {
				t.Fatal("the attempt learned that there are other endpoints for its key")
			}
		}
		if n := child.picks.Load(); n != 20 {
			t.Errorf("%d picks for 20 calls, want one for each", n)
		}
	})
}

// An endpoint that asked for a pause gets no calls for as long, and at most 30 seconds.
func TestPushbackRestsAnEndpoint(t *testing.T) {
	for _, tt := range []struct{ said, rests time.Duration }{
		{10 * time.Second, 10 * time.Second},
		{5 * time.Minute, 30 * time.Second},
	} {
		t.Run(tt.said.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				cc, r := s.channel(t, configOf(t, "round_robin"))
				r.UpdateState(endpoints("one", "two", "three"))
				spread(t, cc)
				s.meet = func(ctx context.Context, addr string) error {
					if addr != "one" {
						return nil
					}
					return rest(ctx, tt.said)
				}
				for refused := false; !refused; {
					_, err := send(t, cc, 1)
					refused = status.Code(err) == codes.Unavailable
				}
				s.meet = nil
				time.Sleep(tt.rests - time.Nanosecond)
				if got := spread(t, cc); got["one"] != 0 || got["two"] != 5 {
					t.Errorf("while one rests, calls went to %v; want half to each of the others", got)
				}
				time.Sleep(time.Nanosecond)
				if got := spread(t, cc); got["one"] < 3 {
					t.Errorf("after the rest, calls went to %v; want a third to one", got)
				}
			})
		})
	}
}

func rest(ctx context.Context, d time.Duration) error {
	if err := rpcerr.SetPushback(ctx, d); err != nil {
		return err
	}
	return status.Error(codes.Unavailable, "scripted")
}

// A rest is a preference: if all endpoints rest, they get calls.
func TestEverybodyRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, configOf(t, "round_robin"))
		r.UpdateState(endpoints("one", "two"))
		spread(t, cc)
		s.meet = func(ctx context.Context, _ string) error { return rest(ctx, time.Second) }
		for range 10 {
			if _, err := send(t, cc, 1); status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		}
		s.meet = nil
		if got := spread(t, cc); got["one"] == 0 || got["two"] == 0 {
			t.Errorf("calls went to %v; want both", got)
		}
	})
}

// A call for which retries are forbidden does not affect other calls.
func TestNegativePushbackRestsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, configOf(t, "round_robin"))
		r.UpdateState(endpoints("one", "two"))
		s.meet = func(ctx context.Context, _ string) error { return rest(ctx, -1) }
		for range 2 {
			_, _ = send(t, cc, 1)
		}
		s.meet = nil
		if got := spread(t, cc); got["one"] != 5 {
			t.Errorf("calls went to %v; want half to each", got)
		}
	})
}

// While an attempt is out, it is known where, and whether there is anywhere else to go.
func TestChoiceIsKnownWhileTheAttemptIsOut(t *testing.T) {
	for _, tt := range []struct {
		child   string
		servers []string
		sick    string // answers health checks with NOT_SERVING
		want    attempt.Choice
	}{
		{"round_robin", []string{"one"}, "", attempt.Choice{Endpoint: "one", Alone: true}},
		{"round_robin", []string{"one", "two"}, "two", attempt.Choice{Endpoint: "one", Alone: true}},
		{"pick_first", []string{"one", "two"}, "", attempt.Choice{Endpoint: "one", Alone: true}},
		{"round_robin", []string{"one", "two"}, "", attempt.Choice{}},
	} {
		t.Run(fmt.Sprintf("%s of %v without %s", tt.child, tt.servers, tt.sick), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				if tt.sick != "" {
					s.health[tt.sick].SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
				}
				release := make(chan struct{})
				s.meet = func(context.Context, string) error {
					<-release
					return nil
				}
				cc, r := s.channel(t, configOf(t, tt.child))
				r.UpdateState(endpoints(tt.servers...))
				synctest.Wait()
				ctx, this := attempt.NewContext(t.Context(), 1, false, nil)
				if got := this.Choice(); got != (attempt.Choice{}) {
					t.Errorf("before it is sent: %+v", got)
				}
				ended := make(chan error)
				go func() {
					_, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
					ended <- err
				}()
				synctest.Wait()
				switch got := this.Choice(); {
				case tt.want != (attempt.Choice{}) && got != tt.want:
					t.Errorf("while it is out: %+v, want %+v", got, tt.want)
				case got.Endpoint == "", tt.want == (attempt.Choice{}) && got.Alone:
					t.Errorf("while it is out: %+v, want one of two endpoints", got)
				}
				close(release)
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The addresses, the connections and the policy decide whether there is another endpoint.
func TestAloneFollowsTheEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc, r := s.channel(t, configOf(t, "round_robin"))
		alone := func(want bool, after string) {
			t.Helper()
			synctest.Wait()
			time.Sleep(time.Minute) // for connections that were refused
			if choice, err := send(t, cc, 1); err != nil || choice.Alone != want {
				t.Errorf("after %s: %+v (%v), want alone to be %v", after, choice, err, want)
			}
		}
		change := func(child string) {
			state := endpoints("one", "two")
			state.ServiceConfig = r.CC().ParseServiceConfig(configOf(t, child))
			r.UpdateState(state)
		}
		r.UpdateState(endpoints("one", "two"))
		alone(false, "two endpoints")
		r.UpdateState(endpoints("one"))
		alone(true, "one has left")
		r.UpdateState(endpoints("one", "two", "three"))
		alone(false, "three endpoints")
		change("pick_first")
		alone(true, "a change to pick_first")
		change("round_robin")
		alone(false, "a change to round_robin")
		s.health["two"].SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		alone(true, "one is unwell")
		s.health["two"].SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
		alone(false, "it is well again")
	})
}
