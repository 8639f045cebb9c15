package waterfall_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/waterfall"
)

func TestWatchFollowsTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tp := newTape(8)
		ctx, cancel := context.WithCancel(t.Context())
		tp.call(ctx, "s.S/Before", 0).end(ms, "OK")
		var seen [][]waterfall.Call
		go func() {
			for calls := range tp.ring.Watch(ctx) {
				seen = append(seen, calls)
			}
		}()
		synctest.Wait()
		call := tp.call(ctx, "s.S/After", 0)
		synctest.Wait()
		call.end(ms, "OK")
		synctest.Wait()
		cancel()
		synctest.Wait()

		want(t, "times that something changed", len(seen), 3)
		want(t, "first, what is there", seen[0][0].Method, "s.S/Before")
		want(t, "then the start of a call", seen[1][0].Open, true)
		want(t, "then its end", seen[2][0].Open, false)
	})
}

func TestWatchGivesASlowReaderTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tp := newTape(3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last []waterfall.Call
		go func() {
			for calls := range tp.ring.Watch(ctx) {
				last = calls
				time.Sleep(time.Minute)
			}
		}()
		tp.call(ctx, "s.S/First", 0).end(ms, "OK")
		synctest.Wait()
		for range 50 {
			tp.call(ctx, "s.S/Many", 0).end(ms, "OK")
		}
		tp.call(ctx, "s.S/Last", 0).end(ms, "OK")
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if got, want := methods(last), []string{"s.S/Many", "s.S/Many", "s.S/Last"}; !slices.Equal(got, want) {
			t.Errorf("the slow reader got %v, want %v", got, want)
		}
		cancel()
		time.Sleep(time.Minute)
	})
}

func TestWatchEndsWithShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tp := newTape(3)
		seen := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range tp.ring.Watch(t.Context()) {
				seen++
				time.Sleep(time.Second)
			}
		}()
		call := tp.call(t.Context(), quote, 0)
		synctest.Wait()
		call.end(ms, "OK")
		if err := tp.ring.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-done
		want(t, "yields, the last change included,", seen, 2)
		for calls := range tp.ring.Watch(t.Context()) {
			seen += len(calls)
		}
		want(t, "a watch that begins afterwards still yields what is there;", seen, 3)
	})
}

func TestWatchEndsWhenTheLoopDoes(t *testing.T) {
	tp := newTape(3)
	tp.call(t.Context(), quote, 0).end(ms, "OK")
	for range tp.ring.Watch(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range tp.ring.Watch(ctx) {
		t.Error("a watch whose context has ended yields")
	}
}
