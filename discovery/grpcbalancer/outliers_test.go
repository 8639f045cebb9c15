package grpcbalancer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
		for _, rest := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
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
					t.Errorf("%d calls failed; want %d: nobody rests", failed, tt.want)
				}
			})
		})
	}
}

// Failures are counted within an interval: nineteen in each of two are no twenty.
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
