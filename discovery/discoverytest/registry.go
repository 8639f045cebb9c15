package discoverytest

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

// leaseLossReRegisters: an instance whose lease ended is announced again, without help.
func leaseLossReRegisters(l *lab) {
	l.reRegisters(func(discovery.Instance) { l.h.LoseLeases(l.T) })
}

// deletedEntryReRegisters: an instance that an operator deleted by mistake is announced again, without help.
func deletedEntryReRegisters(l *lab) {
	l.reRegisters(func(in discovery.Instance) { l.h.DeleteEntry(l.T, in.Service, in.ID) })
}

// reRegisters registers an instance, does damage, and waits until the instance is back.
func (l *lab) reRegisters(damage func(discovery.Instance)) {
	l.Helper()
	in := full("payments")
	p := l.watch(l.driver(), "payments")
	reg := l.registry().Register(l.ctx, in)
	if !reg.Registered() {
		l.Fatalf("not registered: %v", reg.Err())
	}
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	n := p.count()
	damage(in)
	back := l.lists(in)
	// The instance may be back before the first look, so that no change is seen. It is sufficient that it is listed.
	p.wait(l.patience(), func() bool {
		return len(p.states) > n && back(p.states[len(p.states)-1])
	})
	l.pass(2 * l.h.TTL)
	l.watch(l.driver(), "payments").await(l.h.Visible, "the instance is back for good", back)
	if err := reg.Deregister(l.ctx); err != nil {
		l.Errorf("Deregister: %v", err)
	}
	p.await(l.h.Visible, "the instance is gone", l.lists())
}

// watchResumesAfterOutage: after an outage that is longer than all leases, all instances are listed again, and changes
// are seen again.
func watchResumesAfterOutage(l *lab) {
	l.resumes(func() {
		l.h.SetDown(l.T, true)
		l.pass(2*l.h.TTL + time.Second)
		l.h.SetDown(l.T, false)
	})
}

// watchResumesAfterKill: the restart of the engine's process is an outage like any other.
func watchResumesAfterKill(l *lab) {
	l.resumes(func() { l.h.Kill(l.T) })
}

// watchResumesAfterFreeze: a freeze that is longer than all leases, with all connections open, is an outage like any
// other.
func watchResumesAfterFreeze(l *lab) {
	l.resumes(func() {
		l.h.Freeze(l.T, true)
		l.pass(2*l.h.TTL + l.h.Detect)
		l.h.Freeze(l.T, false)
	})
}

// watchResumesAfterHistoryLoss: changes that a watch misses because the engine lost its history are seen later.
func watchResumesAfterHistoryLoss(l *lab) {
	l.resumes(func() {
		if l.h.SetDown != nil {
			l.h.SetDown(l.T, true)
			l.pass(l.h.Detect)
		}
		l.h.LoseHistory(l.T)
		if l.h.SetDown != nil {
			l.h.SetDown(l.T, false)
		}
		l.h.LoseHistory(l.T)
	})
}

// resumes subscribes to a service, does damage, and checks that later changes arrive.
func (l *lab) resumes(damage func()) {
	l.Helper()
	first, second := instance("payments", 1), instance("payments", 2)
	p := l.subscribe(l.registry())
	if l.announces() {
		l.registry().Register(l.ctx, first)
	} else {
		l.put(first)
	}
	p.await(l.patience(), "the instance is listed", l.lists(first))
	damage()
	p.await(
		l.patience(),
		"the instance is listed again",
		func(s discovery.State) bool { return s.Err == nil && !s.Held && l.lists(first)(s) },
	)
	if l.announces() {
		l.registry().Register(l.ctx, second)
	} else {
		l.put(second)
	}
	p.await(l.patience(), "a later change is seen", l.lists(first, second))
}

// engineDownAtStart: no call blocks for longer than its context, the failure is reported, and the service works when
// the engine is up.
func engineDownAtStart(l *lab) {
	in := instance("payments", 1)
	if !l.announces() {
		l.put(in)
	}
	l.h.SetDown(l.T, true)
	r := l.registry()
	p := l.subscribe(r)
	ctx, cancel := context.WithTimeout(l.ctx, time.Second)
	defer cancel()
	began := time.Now()
	reg := r.Register(ctx, in)
	if took := time.Since(began); took > 2*time.Second {
		l.Errorf("Register with a deadline of 1s returned after %v", took)
	}
	if l.announces() && reg.Registered() {
		l.Error("the instance is registered although the engine is down")
	}
	p.await(l.patience(), "the failure is reported", func(s discovery.State) bool { return s.Err != nil && !s.Known })
	if first := p.since(0)[0].Err; errors.Is(first, discovery.ErrSilent) {
		l.Errorf("an engine that refuses connections is reported as silent (%v); want its error, at once", first)
	}
	l.h.SetDown(l.T, false)
	p.await(l.patience(), "the instance is listed when the engine is up", l.lists(in))
}

// outageKeepsLastGood: an outage of any length changes nothing for a client that knew the instances before.
func outageKeepsLastGood(l *lab) {
	in := instance("payments", 1)
	p := l.subscribe(l.registry())
	l.put(in)
	p.await(l.patience(), "the instance is listed", l.lists(in))
	n := p.count()
	l.h.SetDown(l.T, true)
	l.pass(3*l.h.TTL + time.Second)
	for _, s := range p.since(n) {
		if !l.lists(in)(s) {
			l.Errorf("during the outage the state became %s", describe(s))
		}
	}
	p.await(
		l.h.Detect,
		"the failure is reported",
		func(s discovery.State) bool { return s.Err != nil && !s.StaleSince.IsZero() },
	)
}

// emptyListHeld: an empty list is used only after the hold time.
func emptyListHeld(l *lab) {
	hold := 5*time.Second + l.h.Visible
	in := instance("payments", 1)
	p := l.subscribe(l.registry(discovery.WithHold(hold)))
	l.put(in)
	p.await(l.patience(), "the instance is listed", l.lists(in))
	l.remove(in)
	p.await(l.h.Visible, "the list is held", func(s discovery.State) bool { return s.Held && l.lists(in)(s) })
	began := time.Now()
	p.await(hold+l.h.Visible, "the hold ends", func(s discovery.State) bool { return !s.Held && l.lists()(s) })
	if held := time.Since(began); held < hold-l.h.Visible {
		l.Errorf("the list was held for %v; want %v", held, hold)
	}
}

// updateStormDebounced: of many changes only some are reported, and the last one is reported.
func updateStormDebounced(l *lab) {
	const debounce = 100 * time.Millisecond
	changes := l.many(500)
	p, in := l.subscribe(l.registry(discovery.WithDebounce(debounce, debounce))), instance("payments", 1)
	l.put(in)
	p.await(l.patience(), "the instance is listed", l.lists(in))
	n, began := p.count(), time.Now()
	for i := range changes {
		in.Addresses = instance("payments", i+1).Addresses
		in.ID = in.Addresses[0]
		l.put(in)
		l.pass(time.Millisecond)
	}
	all := make([]discovery.Instance, 0, changes)
	for i := range changes {
		all = append(all, instance("payments", i+1))
	}
	p.await(l.patience(), "all changes are listed", l.lists(all...))
	if told, most := p.count()-n, int(time.Since(began)/debounce)+3; told > most {
		l.Errorf("%d changes were reported %d times; want at most %d", changes, told, most)
	}
}
