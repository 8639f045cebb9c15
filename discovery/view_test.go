package discovery_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

func TestStormIsToldAtGrowingIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		told, cancel := subscribe(open(t, s), "payments")
		defer cancel()
		s.list(one("a"))
		const changes = 10_000
		for i := range changes {
			s.list(one(fmt.Sprint("b", i)))
			time.Sleep(10 * time.Second / changes)
		}
		synctest.Wait()
		if n := told.count(); n > 20 {
			t.Errorf("10,000 changes in 10s were reported %d times; want at most 20", n)
		}
		time.Sleep(time.Second)
		if got := ids(told.last().Instances); !slices.Equal(got, []string{fmt.Sprint("b", changes-1)}) {
			t.Errorf("the last reported state is %v; want the last change", got)
		}

		time.Sleep(10 * time.Second)
		before, began := told.count(), time.Now()
		s.list(one("c"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if told.count() != before+1 {
			t.Errorf("a change after the storm was not reported %v later", time.Since(began))
		}
	})
}

func TestEveryChangeWithoutDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		told, cancel := subscribe(open(t, s, discovery.WithDebounce(0, 0)), "payments")
		defer cancel()
		for _, id := range []string{"a", "b", "c"} {
			s.list(one(id))
			synctest.Wait()
		}
		told.want(t, "0s [a]", "0s [b]", "0s [c]")
	})
}

func TestNoHoldBelievesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		told, cancel := subscribe(open(t, s, discovery.WithHold(0)), "payments")
		defer cancel()
		s.list(one("a"))
		synctest.Wait()
		s.list()
		synctest.Wait()
		told.want(t, "0s [a]", "0s []")
	})
}

func TestErrorsNameTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		told, cancel := subscribe(open(t, s), "payments")
		defer cancel()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if err := told.last().Err; !errors.Is(err, discovery.ErrSilent) {
			t.Errorf("got %v; want ErrSilent", err)
		}
		s.fail()
		synctest.Wait()
		var fault *discovery.Error
		if err := told.last().Err; !errors.As(err, &fault) || !errors.Is(err, errBroken) {
			t.Fatalf("got %v; want a *discovery.Error around the driver's", err)
		}
		if got, want := fault.Error(), `discovery: stage: find "payments": broken`; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	})
}

func TestStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		told, cancel := subscribe(open(t, s), "payments")
		defer cancel()
		s.list(one("a"))
		synctest.Wait()
		if since := told.last().StaleSince; !since.IsZero() {
			t.Errorf("stale since %v; want the engine to vouch", since)
		}
		broke := time.Now()
		for range 5 {
			s.fail()
			time.Sleep(time.Minute)
		}
		if since := told.last().StaleSince; !since.Equal(broke) {
			t.Errorf("stale since %v; want %v, the first failure", since, broke)
		}
		s.list(one("a"))
		synctest.Wait()
		if s := told.last(); !s.StaleSince.IsZero() || s.Err != nil {
			t.Errorf("after recovery the state is %+v", s)
		}
	})
}
