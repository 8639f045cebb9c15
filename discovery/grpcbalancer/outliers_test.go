package grpcbalancer_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

// three is a channel to three servers, of which one rests when it is an outlier.
func (s *servers) three(t *testing.T) *grpc.ClientConn {
	cc, r := s.channel(
		t,
		textOf(t, grpcbalancer.Balancing{Policy: grpcbalancer.RoundRobin, Outliers: &grpcbalancer.Outliers{}}),
	)
	r.UpdateState(endpoints("one", "two", "three"))
	spread(t, cc)
	time.Sleep(10 * time.Second)
	return cc
}

// failing makes the servers of the names fail with code.
func (s *servers) failing(code codes.Code, names ...string) {
	s.meet = func(_ context.Context, addr string) error {
		if slices.Contains(names, addr) {
			return status.Error(code, "scripted")
		}
		return nil
	}
}

// tryAll makes n calls and returns how many failed.
func tryAll(t *testing.T, cc *grpc.ClientConn, n int) (failed int) {
	for range n {
		if _, err := ask(t, cc); err != nil {
			failed++
		}
	}
	return failed
}

// Twenty calls prove that an instance fails. It rests for 30s, then for twice as long each time that it fails again,
// and for 30s again once it was well for as long as it had rested.
func TestOutlierRestsAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.three(t)
		for _, rest := range []time.Duration{
			30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute,
		} {
			s.failing(codes.Internal, "one")
			if failed := tryAll(t, cc, 200); failed < 20 || failed > 22 {
				t.Errorf("%d of 200 calls failed before one rested; want about 20", failed)
			}
			if failed := tryAll(t, cc, 100); failed != 0 {
				t.Errorf("%d calls went to the one that rests", failed)
			}
			s.meet = nil
			time.Sleep(rest - time.Nanosecond)
			if got := among(t, cc, 30); got["one"] != 0 {
				t.Errorf("within a rest of %v, %d calls went to one", rest, got["one"])
			}
			time.Sleep(time.Nanosecond)
			if got := among(t, cc, 30); got["one"] != 10 {
				t.Errorf("after a rest of %v, %d of 30 calls went to one", rest, got["one"])
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(5 * time.Minute)
		s.failing(codes.Internal, "one")
		tryAll(t, cc, 100)
		s.meet = nil
		time.Sleep(30 * time.Second)
		if got := among(t, cc, 30); got["one"] != 10 {
			t.Errorf("30s after a long time of health, %d of 30 calls went to one", got["one"])
		}
	})
}

func TestWhoIsNoOutlier(t *testing.T) {
	for _, tt := range []struct {
		name    string
		code    codes.Code
		failing []string
		calls   int
		want    int // calls that fail, of all
	}{
		{"all fail alike", codes.Internal, []string{"one", "two", "three"}, 90, 90},
		{"the caller's fault", codes.InvalidArgument, []string{"one"}, 90, 30},
		{"the caller gave up", codes.Canceled, []string{"one"}, 90, 30},
		{"too few calls", codes.Internal, []string{"one"}, 57, 19},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				cc := s.three(t)
				s.failing(tt.code, tt.failing...)
				if failed := tryAll(t, cc, tt.calls); failed != tt.want {
					t.Errorf("%d calls failed; want %d: no endpoint rests", failed, tt.want)
				}
			})
		})
	}
}

// Failures are counted within an interval: nineteen failures in each of two intervals are not enough.
func TestFailuresOfLongAgoDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.three(t)
		s.failing(codes.Internal, "one")
		for range 3 {
			if failed := tryAll(t, cc, 57); failed != 19 {
				t.Errorf("%d of 57 calls failed; want 19", failed)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// One instance rests and has recovered when another one fails. Only one may rest.
func TestARestingOutlierDoesNotShieldASecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.three(t)
		s.failing(codes.Internal, "one")
		tryAll(t, cc, 100)
		time.Sleep(10 * time.Second)
		s.failing(codes.Internal, "two") // and one is well again
		if failed := tryAll(t, cc, 200); failed < 20 || failed > 22 {
			t.Errorf("%d of 200 calls failed before two rested; want about 20", failed)
		}
		if got := among(t, cc, 60); got["two"] != 0 || got["one"] != 30 {
			t.Errorf("60 calls went to %v; want none to two, and one back", got)
		}
	})
}

// An instance that comes back early, and still fails, rests again after one call. The one that rested for it comes
// back.
func TestATrialCostsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		cc := s.three(t)
		s.failing(codes.Internal, "one")
		tryAll(t, cc, 100)
		time.Sleep(10 * time.Second)
		var bad atomic.Int32
		s.meet = func(_ context.Context, addr string) error {
			if addr == "one" || addr == "two" && bad.Add(1) <= 22 {
				return status.Error(codes.Internal, "scripted")
			}
			return nil
		}
		if failed := tryAll(t, cc, 400); failed < 22 || failed > 24 {
			t.Errorf("%d of 400 calls failed; want the 22 of two, and one of one", failed)
		}
		if got := among(t, cc, 60); got["one"] != 0 || got["two"] != 30 {
			t.Errorf("60 calls went to %v; want none to one, and two back", got)
		}
	})
}

// Calls with less time than they need say nothing about the instance that they meet.
func TestHurriedCallsCountAgainstNobody(t *testing.T) {
	for hurried, want := range map[bool]int{true: 60, false: 22} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t)
			cc := s.three(t)
			s.failing(codes.DeadlineExceeded, "one")
			failed := 0
			for range 180 {
				ctx, this := attempt.NewContext(t.Context(), 1, false, nil)
				if hurried {
					this.SetHurried()
				}
				if _, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
					failed++
				}
			}
			if hurried && failed != want || failed > want {
				t.Errorf("hurried: %v: %d calls failed; want %d", hurried, failed, want)
			}
		})
	}
}

func TestOutliersRestByDefault(t *testing.T) {
	for policy, want := range map[string]bool{
		grpcbalancer.ZoneWeighted: true, grpcbalancer.RoundRobin: true, grpcbalancer.LeastRequest: true,
		grpcbalancer.WeightedRoundRobin: true, grpcbalancer.RingHash: false, grpcbalancer.PickFirst: false,
	} {
		text := textOf(t, grpcbalancer.Balancing{Policy: policy})
		if got := strings.Contains(text, `"outliers"`); got != want {
			t.Errorf("%s: outliers rest: %v; want %v", policy, got, want)
		}
		off := textOf(t, grpcbalancer.Balancing{Policy: policy, Outliers: &grpcbalancer.Outliers{Off: true}})
		if strings.Contains(off, `"outliers"`) {
			t.Errorf("%s: outliers rest though they are off", policy)
		}
	}
}
