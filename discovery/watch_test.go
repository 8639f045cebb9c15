package discovery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// always returns a source of jitter that is the same number every time.
func always(f float64) func() float64 { return func() float64 { return f } }

func milliseconds(counts ...int64) []time.Duration {
	durations := make([]time.Duration, 0, len(counts))
	for _, n := range counts {
		durations = append(durations, time.Duration(n)*time.Millisecond)
	}
	return durations
}

func TestWatchIsTriedForEverWithFullJitter(t *testing.T) {
	for _, tt := range []struct {
		random float64
		want   []time.Duration
	}{
		{1, milliseconds(200, 400, 800, 1600, 3200, 4000, 4000, 4000)},
		{0.5, milliseconds(100, 200, 400, 800, 1600, 2000, 2000, 2000)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage()
			_, cancel := subscribe(open(t, s, discovery.WithRandom(always(tt.random))), "payments")
			defer cancel()
			for range tt.want {
				s.fail()
				time.Sleep(4 * time.Second)
			}
			synctest.Wait()
			attempts := s.attempts()
			if len(attempts) != len(tt.want)+1 {
				t.Fatalf("%d attempts; want %d", len(attempts), len(tt.want)+1)
			}
			// Every attempt fails after at most 4s. The wait is the remaining time until the next attempt.
			began := attempts[0]
			for i, attempt := range attempts[1:] {
				failed := began.Add(time.Duration(i) * 4 * time.Second)
				if got, want := attempt.Sub(failed), tt.want[i]; got != want {
					t.Errorf("jitter %v: wait %d was %v; want %v", tt.random, i+1, got, want)
				}
			}
		})
	}
}

func TestOnlyAWatchThatLastsStartsTheWaitsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		_, cancel := subscribe(open(t, s, discovery.WithRandom(always(1))), "payments")
		defer cancel()
		lives := []time.Duration{0, 0, 0, 4 * time.Second, 4*time.Second + 1, 0}
		for _, life := range lives {
			s.list(one("a"))
			time.Sleep(life)
			s.fail()
			time.Sleep(4 * time.Second)
			synctest.Wait()
		}
		var waits []time.Duration
		at := s.attempts()
		failed := at[0]
		for i, attempt := range at[1:] {
			failed = failed.Add(lives[i])
			waits = append(waits, attempt.Sub(failed))
			failed = failed.Add(4 * time.Second)
		}
		if want := milliseconds(200, 400, 800, 1600, 200, 400); !slices.Equal(waits, want) {
			t.Errorf("waits %v; want %v", waits, want)
		}
	})
}

// rude is a driver that ends its watches without a reason, and emits when it should not.
type rude struct {
	driver.Driver
	late chan func([]discovery.Instance)
}

func (d rude) Watch(_ context.Context, _ string, emit func([]discovery.Instance)) error {
	d.late <- emit
	return nil
}

func TestWatchThatEndsWithoutAReasonIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rude{mem.New().Driver(), make(chan func([]discovery.Instance), 100)}
		told, cancel := subscribe(open(t, d), "payments")
		defer cancel()
		synctest.Wait()
		if err := told.last().Err; err == nil || !strings.Contains(err.Error(), "without a reason") {
			t.Errorf("got %v; want an error about the missing reason", err)
		}
		(<-d.late)([]discovery.Instance{one("a")})
		synctest.Wait()
		if told.last().Known {
			t.Error("a list that was emitted after Watch had returned is believed")
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := discovery.New(s)
		told, cancel := subscribe(r, "payments")
		_, lingering := subscribe(r, "orders")
		lingering()
		s.lists <- []discovery.Instance{one("a")}
		synctest.Wait()
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if s.closed != 1 {
			t.Errorf("the driver was closed %d times; want once", s.closed)
		}
		n := told.count()
		cancel()
		late, cancelLate := subscribe(r, "payments")
		cancelLate()
		if err := late.last().Err; !errors.Is(err, discovery.ErrClosed) {
			t.Errorf("subscribing after Close reports %v; want ErrClosed", err)
		}
		if told.count() != n {
			t.Error("a subscriber received a state after Close")
		}
	})
}

func TestRegistryWithoutADriverSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, nil)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), "the driver is missing") {
			t.Errorf("Check: %v; want it to miss the driver", err)
		}
		told, cancel := subscribe(r, "payments")
		defer cancel()
		synctest.Wait()
		if err := told.last().Err; err == nil || !strings.Contains(err.Error(), "the driver is missing") {
			t.Errorf("reported %v; want the missing driver", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if reg := r.Register(ctx, one("a")); reg.Registered() {
			t.Error("registered without a driver")
		}
	})
}
