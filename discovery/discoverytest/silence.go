package discoverytest

import (
	"context"
	"time"
)

// frozenEngineReported: if the engine keeps its connections and sends nothing, Watch soon returns an error, and never
// emits a list.
func frozenEngineReported(l *lab) {
	d, in := l.driver(), instance("payments", 1)
	p := l.watch(d, "payments")
	l.put(in)
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	l.pass(l.h.Visible)
	n := p.count()
	l.h.Freeze(l.T, true)
	defer l.h.Freeze(l.T, false)
	if err := p.awaitEnd(l.h.Detect, "the engine is frozen"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	if err := l.watch(d, "payments").awaitEnd(l.h.Detect, "the engine is frozen from the start"); err == nil {
		l.Error("Watch returned nil; want an error, always")
	}
	for _, s := range p.since(n) {
		if !l.lists(in)(s) {
			l.Errorf("the silence was emitted as a list: %s", describe(s))
		}
	}
	for _, lease := range l.leases {
		l.awaitLost(lease, "it cannot be renewed")
	}
	if !l.announces() {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, time.Second)
	defer cancel()
	began := time.Now()
	if lease, err := d.Announce(ctx, instance("payments", 2), l.h.TTL); err == nil {
		l.Errorf("Announce while the engine is frozen: %v, nil", lease)
	}
	if took := time.Since(began); took > 2*time.Second {
		l.Errorf("Announce with a deadline of 1s returned after %v", took)
	}
}

// slowEngineServes: an engine that answers late is not down.
func slowEngineServes(l *lab) {
	const delay = 200 * time.Millisecond
	l.h.Delay(l.T, delay)
	defer l.h.Delay(l.T, 0)
	p, in := l.watch(l.driver(), "payments"), instance("payments", 1)
	l.put(in)
	within := l.h.Visible + 10*delay // connecting and reading take several answers
	p.await(within, "the instance is listed", l.lists(in))
	in.Weight = 7
	l.put(in)
	p.await(within, "the change is listed", l.lists(in))
	l.pass(3 * l.h.TTL)
	if p.wait(0, func() bool { return p.ended }) {
		l.Errorf("the watch of an engine that answers after %v ended: %v", delay, p.err)
	}
	for key, lease := range l.leases {
		if lost(lease) {
			l.Errorf("the lease of %v is lost though the engine answers after %v", key, delay)
		}
	}
	p.await(0, "the instance is still listed", l.lists(in))
}
