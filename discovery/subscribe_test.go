package discovery_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

func TestSubscribersShareOneWatchThatLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := open(t, s, discovery.WithLinger(time.Hour))
		first, cancelFirst := subscribe(r, "payments")
		s.list(one("a"))
		second, cancelSecond := subscribe(r, "payments")
		synctest.Wait()
		first.want(t, "0s [a]")
		second.want(t, "0s [a]")

		cancelFirst()
		cancelFirst()
		s.list(one("b"))
		time.Sleep(time.Second)
		first.want(t, "0s [a]")
		second.want(t, "0s [a]", "100ms [b]")

		cancelSecond()
		time.Sleep(time.Hour - time.Second)
		third, cancelThird := subscribe(r, "payments")
		synctest.Wait()
		third.want(t, "0s [b]")
		time.Sleep(2 * time.Hour)
		if n := len(s.attempts()); n != 1 {
			t.Errorf("%d watches were made; want 1", n)
		}

		cancelThird()
		time.Sleep(time.Hour)
		synctest.Wait()
		if services := r.Snapshot().Services; len(services) != 0 {
			t.Errorf("after the linger the registry still follows %+v", services)
		}
		fourth, cancelFourth := subscribe(r, "payments")
		defer cancelFourth()
		synctest.Wait()
		fourth.want(t)
		s.list(one("c"))
		fourth.want(t, "0s [c]")
	})
}

func TestEachLastUserStartsTheLingerAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := open(t, s, discovery.WithLinger(time.Hour))
		for range 3 {
			_, cancel := subscribe(r, "payments")
			cancel()
			time.Sleep(40 * time.Minute)
		}
		if n := len(s.attempts()); n != 1 {
			t.Error("a watch ended 40 minutes after its last user; want an hour")
		}
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if n := len(r.Snapshot().Services); n != 0 {
			t.Error("the watch goes on an hour after its last user")
		}
	})
}

func TestWithoutLingerTheWatchEndsWithItsLastUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := open(t, s, discovery.WithLinger(0))
		for range 3 {
			_, cancel := subscribe(r, "payments")
			synctest.Wait()
			cancel()
			synctest.Wait()
		}
		if n := len(s.attempts()); n != 3 {
			t.Errorf("%d watches were made; want 3", n)
		}
	})
}

func TestSlowSubscriberDelaysNobodyAndSkipsStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := open(t, s, discovery.WithDebounce(0, 0))
		var seen [][]string
		cancelSlow := r.Subscribe("payments", func(s discovery.State) {
			time.Sleep(time.Minute)
			seen = append(seen, ids(s.Instances))
		})
		quick, cancelQuick := subscribe(r, "payments")
		defer cancelQuick()
		for _, id := range []string{"a", "b", "c", "d"} {
			s.list(one(id))
		}
		quick.want(t, "0s [a]", "0s [b]", "0s [c]", "0s [d]")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		cancelSlow()
		if len(seen) != 2 || seen[0][0] != "a" || seen[1][0] != "d" {
			t.Errorf("the slow subscriber saw %v; want the first and the last state", seen)
		}
	})
}

func TestSubscriberMayCancelItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := open(t, s)
		var cancel func()
		calls := 0
		cancel = r.Subscribe("payments", func(discovery.State) {
			calls++
			cancel()
		})
		s.list(one("a"))
		time.Sleep(time.Second)
		s.list(one("b"))
		time.Sleep(time.Second)
		synctest.Wait()
		if calls != 1 {
			t.Errorf("called %d times; want once", calls)
		}
	})
}

func TestSubscribeToAnImpossibleName(t *testing.T) {
	for _, name := range []string{"", "a/b", "a b", "a:1", "..", "ä", "a\n"} {
		told, cancel := subscribe(open(t, newStage()), name)
		cancel()
		if s := told.last(); s.Err == nil || s.Known {
			t.Errorf("%q: received %+v; want an error at once", name, s)
		}
	}
}
