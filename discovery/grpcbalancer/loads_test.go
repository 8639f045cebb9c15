package grpcbalancer_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/internal/orca"
)

// reporting makes each server send its load report with each call.
func (s *servers) reporting(reports map[string]orca.Report) {
	s.meet = func(ctx context.Context, addr string) error {
		if r, ok := reports[addr]; ok {
			return grpc.SetTrailer(ctx, metadata.Pairs(orca.Key, string(r.Append(nil))))
		}
		return nil
	}
}

// weighted is a channel that balances by reports.
func (s *servers) weighted(t *testing.T, addresses ...string) *grpc.ClientConn {
	cc, r := s.channel(t, textOf(t, grpcbalancer.Balancing{Policy: grpcbalancer.WeightedRoundRobin}))
	r.UpdateState(endpoints(addresses...))
	spread(t, cc)
	return cc
}

func TestWeightedRoundRobin(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reports map[string]orca.Report
		want    map[string]int // of 300 calls
	}{
		{"half as busy, twice the calls", map[string]orca.Report{
			"one": {Rate: 100, Utilization: 0.2}, "two": {Rate: 100, Utilization: 0.4}, "three": {Rate: 100, Utilization: 0.4},
		}, map[string]int{"one": 150, "two": 75, "three": 75}},
		{"errors weigh as utilization does", map[string]orca.Report{
			"one": {Rate: 100, Utilization: 0.2}, "two": {Rate: 100, Errors: 20, Utilization: 0.2},
			"three": {Rate: 100, Errors: 20, Utilization: 0.2},
		}, map[string]int{"one": 150, "two": 75, "three": 75}},
		{"who does not report gets the mean", map[string]orca.Report{
			"one": {Rate: 100, Utilization: 0.2}, "two": {Rate: 100, Utilization: 0.6},
		}, map[string]int{"one": 150, "two": 50, "three": 100}},
		{
			"one report is none",
			map[string]orca.Report{"one": {Rate: 100, Utilization: 0.01}},
			map[string]int{"one": 100, "two": 100, "three": 100},
		},
		{
			"idle ones say nothing",
			map[string]orca.Report{"one": {Rate: 100}, "two": {Utilization: 1}},
			map[string]int{"one": 100, "two": 100, "three": 100},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				s.reporting(tt.reports)
				cc := s.weighted(t, "one", "two", "three")
				time.Sleep(10 * time.Second)
				got := among(t, cc, 300)
				for addr, want := range tt.want {
					if !near(got[addr], want) {
						t.Errorf("calls went to %v; want %v", got, tt.want)
					}
				}
			})
		})
	}
}

// Reports count after ten seconds, and for three minutes after the last one.
func TestReportsCountWhileTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		s.reporting(map[string]orca.Report{"one": {Rate: 100, Utilization: 0.1}, "two": {Rate: 100, Utilization: 0.3}})
		cc := s.weighted(t, "one", "two")
		for _, step := range []struct {
			name  string
			sleep time.Duration
			mute  bool
			want  int // calls of 100 that go to one
		}{
			{"at first", 0, false, 50},
			{"just before ten seconds", 9 * time.Second, false, 50},
			{"after ten seconds", time.Second, false, 75},
			{"just before three minutes of silence", 3*time.Minute - time.Second, true, 75},
			{"after three minutes of silence", 2 * time.Second, false, 50},
			{"ten seconds after the silence", 10 * time.Second, false, 75},
		} {
			time.Sleep(step.sleep)
			if step.mute {
				s.meet = nil
			} else {
				s.reporting(map[string]orca.Report{"one": {Rate: 100, Utilization: 0.1}, "two": {Rate: 100, Utilization: 0.3}})
			}
			if got := among(t, cc, 100); !near(got["one"], step.want) {
				t.Errorf("%s: calls went to %v; want %d to one", step.name, got, step.want)
			}
		}
	})
}
