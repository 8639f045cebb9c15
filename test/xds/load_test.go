package xds

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/xds/xdstest"
)

// load is 300 calls a second.
type load struct {
	caller *caller
	quotes atomic.Int64
	// Charges must not be repeated, so the end of an instance without warning costs the charges on their way there.
	charges atomic.Int64
	failed  func(what string, err error)
}

// during makes calls while do runs, and returns when all have ended.
func (l *load) during(ctx context.Context, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	ticker := time.NewTicker(time.Second / 300)
	defer ticker.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		calls.Go(func() {
			what, call, made := "GetQuote", func() error { return l.caller.quote(ctx) }, &l.quotes
			if n%2 == 1 {
				what, call, made = "Charge", func() error { return l.caller.charge(ctx) }, &l.charges
			}
			made.Add(1)
			if err := call(); err != nil {
				l.failed(what, err)
			}
		})
	}
}

// All three replicas are replaced one after the other, as a platform does: what leaves is taken out of the list while
// it drains, what comes is added when it is ready.
func TestRollingRestartUnderLoad(t *testing.T) {
	s := newShop(t)
	replicas := []*replica{s.start(), s.start(), s.start()}
	all := append([]*replica(nil), replicas...)
	s.offer(replicas...)
	l := &load{caller: s.caller(), failed: func(what string, err error) { t.Errorf("%s: %v", what, err) }}
	if err := l.caller.quote(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.during(t.Context(), func() {
		for i, leaving := range replicas {
			coming := s.start()
			all = append(all, coming)
			replicas[i] = coming
			var stopping sync.WaitGroup
			stopping.Go(leaving.stop)
			s.offer(replicas...)
			stopping.Wait()
			s.plane.Delete(xdstest.NewListener(t, leaving.address))
		}
	})
	var charged int64
	for _, r := range all {
		charged += r.charges.Load()
	}
	if made := l.charges.Load(); made != charged || made < 100 {
		t.Errorf("%d charges for %d calls", charged, made)
	}
}

// One of three dies, and stays in the list for a while. Calls that may be repeated do not notice.
func TestKillUnderLoad(t *testing.T) {
	s := newShop(t)
	replicas := []*replica{s.start(), s.start(), s.start()}
	s.offer(replicas...)
	l := &load{caller: s.caller(), failed: func(what string, err error) {
		if what == "GetQuote" {
			t.Errorf("%s: %v", what, err)
		}
	}}
	if err := l.caller.quote(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.during(t.Context(), func() {
		<-time.After(500 * time.Millisecond)
		replicas[1].end()
		<-time.After(time.Second)
		s.offer(replicas[0], replicas[2])
		<-time.After(500 * time.Millisecond)
	})
	if made := l.quotes.Load(); made < 100 {
		t.Errorf("only %d quotes were asked for", made)
	}
}
