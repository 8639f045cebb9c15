package discoverytest

import (
	"context"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

// leaseLossReported: if a lease ends in the engine, the driver closes Lost and frees the resources of the lease.
func leaseLossReported(l *lab) {
	p, in := l.watch(l.driver(), "payments"), instance("payments", 1)
	l.put(in)
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	l.h.LoseLeases(l.T)
	lease := l.leases[[2]string{in.Service, in.ID}]
	l.awaitLost(lease, "the lease has ended in the engine")
	p.await(l.h.Visible, "the instance is gone", l.lists())
	if err := lease.Update(l.ctx, in); err == nil {
		l.Error("Update of a lost lease returns nil")
	}
	if err := lease.Revoke(l.ctx); err != nil {
		l.Errorf("Revoke of a lost lease: %v", err)
	}
}

// historyLossReported: a watch that has missed changes returns an error or emits a complete list.
func historyLossReported(l *lab) {
	p, first, second := l.watch(l.driver(), "payments"), instance("payments", 1), instance("payments", 2)
	l.put(first)
	p.await(l.h.Visible, "the instance is listed", l.lists(first))
	l.h.LoseHistory(l.T)
	l.put(second)
	if !p.wait(l.h.Detect+l.h.Visible, func() bool {
		return p.ended || len(p.states) > 0 && l.lists(first, second)(p.states[len(p.states)-1])
	}) {
		l.Fatal("the history is lost; want the watch to end or to show the change")
	}
}

// outageReportedNeverEmitted: if the engine is down, Watch soon returns an error, and never emits a list.
func outageReportedNeverEmitted(l *lab) {
	d, in := l.driver(), instance("payments", 1)
	p := l.watch(d, "payments")
	l.put(in)
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	l.pass(l.h.Visible) // an earlier list may still arrive
	n := p.count()
	l.h.SetDown(l.T, true)
	if err := p.awaitEnd(l.h.Detect, "the engine is down"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	for _, s := range p.since(n) {
		if !l.lists(in)(s) {
			l.Errorf("the outage was emitted as a list: %s", describe(s))
		}
	}
	for _, d := range []driver.Driver{d, l.driver()} {
		late := l.watch(d, "payments")
		if err := late.awaitEnd(l.h.Detect, "the engine is down from the start"); err == nil {
			l.Error("Watch returned nil; want an error, always")
		}
		if n := late.count(); n > 0 {
			l.Errorf("%d lists came from an engine that is down", n)
		}
	}
	for _, lease := range l.leases {
		l.awaitLost(lease, "it cannot be renewed")
	}
}

// contextEndsCalls: no method outlives its context.
func contextEndsCalls(l *lab) {
	d := l.driver()
	p := l.watch(d, "payments")
	p.await(l.h.Visible, "the first list", l.lists())
	p.stop()
	if err := p.awaitEnd(l.h.Detect, "its context has ended"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	ctx, cancel := context.WithCancel(l.ctx)
	cancel()
	if lease, err := d.Announce(ctx, instance("payments", 1), l.h.TTL); err == nil {
		l.Errorf("Announce in a context that has ended: %v, nil", lease)
	}
	if l.h.SetDown == nil {
		return
	}
	l.h.SetDown(l.T, true)
	ctx, cancel = context.WithTimeout(l.ctx, time.Second)
	defer cancel()
	began := time.Now()
	if lease, err := d.Announce(ctx, instance("payments", 1), l.h.TTL); err == nil {
		l.Errorf("Announce while the engine is down: %v, nil", lease)
	}
	if took := time.Since(began); took > 2*time.Second {
		l.Errorf("Announce with a deadline of 1s returned after %v", took)
	}
}

// closeEndsEverything: closing a driver ends its watches and leases, and its instances expire after their ttl.
func closeEndsEverything(l *lab) {
	reader := l.watch(l.driver(), "payments")
	d, in := l.driver(), instance("payments", 1)
	p := l.watch(d, "payments")
	p.await(l.h.Visible, "the first list", l.lists())
	var lease driver.Lease
	if l.announces() {
		var err error
		if lease, err = d.Announce(l.ctx, in, l.h.TTL); err != nil {
			l.Fatalf("Announce: %v", err)
		}
		reader.await(l.h.Visible, "the instance is listed", l.lists(in))
	}
	l.close(d)
	l.close(d)
	if err := p.awaitEnd(l.h.Detect, "the driver is closed"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	if err := l.watch(d, "payments").awaitEnd(l.h.Detect, "the driver was closed before"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	if lease != nil {
		l.awaitLost(lease, "the driver is closed")
		reader.await(2*l.h.TTL+l.h.Visible, "the instance expires after its ttl", l.lists())
	}
}

// closeLeaksNothing: a driver that was used and closed leaves no goroutine.
func closeLeaksNothing(l *lab) {
	before := goleak.IgnoreCurrent()
	d := l.h.Driver(l.T)
	for range 5 {
		p := l.watch(d, "payments")
		p.await(l.h.Visible, "the first list", func(s discovery.State) bool { return s.Known })
		p.stop()
		if err := p.awaitEnd(l.h.Detect, "its context has ended"); err == nil {
			l.Error("Watch returned nil; want an error, always")
		}
	}
	if l.announces() {
		for n := range 5 {
			lease, err := d.Announce(l.ctx, instance("payments", n), l.h.TTL)
			if err != nil {
				l.Fatalf("Announce: %v", err)
			}
			if n > 2 {
				continue // Close has to end these
			}
			if err := lease.Revoke(l.ctx); err != nil {
				l.Errorf("Revoke: %v", err)
			}
		}
	}
	l.close(d)
	if err := goleak.Find(before); err != nil {
		l.Errorf("after Close: %v", err)
	}
}

func lost(lease driver.Lease) bool {
	select {
	case <-lease.Lost():
		return true
	default:
		return false
	}
}

// awaitLost waits until the driver reports that a lease is lost.
func (l *lab) awaitLost(lease driver.Lease, why string) {
	l.Helper()
	timer := time.NewTimer(l.h.TTL + l.h.Detect)
	defer timer.Stop()
	select {
	case <-lease.Lost():
	case <-timer.C:
		l.Fatalf("%s: Lost is not closed within %v", why, l.h.TTL+l.h.Detect)
	}
}
