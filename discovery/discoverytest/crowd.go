package discoverytest

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

// twoRegistrarsOneID: if two processes register the same ID, the later one stays listed, even when the earlier one
// deregisters. The two do not replace each other's entry again and again.
func twoRegistrarsOneID(l *lab) {
	older, newer := instance("payments", 1), instance("payments", 1)
	newer.Version, newer.Addresses = "v2", []string{"10.9.9.9:8443"}
	p := l.watch(l.driver(), "payments")
	first := l.registry().Register(l.ctx, older)
	p.await(l.h.Visible, "the first is listed", l.lists(older))
	l.registry().Register(l.ctx, newer)
	p.await(l.h.Visible, "the second is listed", l.lists(newer))
	n := p.count()
	l.pass(2*l.h.TTL + l.h.Visible)
	if err := first.Deregister(l.ctx); err != nil {
		l.Errorf("Deregister of the first: %v", err)
	}
	l.pass(2*l.h.TTL + l.h.Visible)
	for _, s := range append(p.since(n), discovery.State{Instances: p.last().Instances, Known: true}) {
		if !l.lists(newer)(s) {
			l.Fatalf("after the second had registered there was listed %s", describe(s))
		}
	}
}

// hundredClientsReconnect: a hundred clients that lose the engine at the same time are back within five seconds after
// its return. Their requests are spread over that time.
func hundredClientsReconnect(l *lab) {
	const slice = 100 * time.Millisecond
	clients := l.many(100)
	arrivals := &arrivals{times: make(map[int][]time.Time)}
	shared := instance("payments", 0)
	if !l.announces() {
		l.put(shared)
	}
	taps := make([]*tap, clients)
	regs := make([]*discovery.Registration, clients)
	for i := range clients {
		r := discovery.New(arriving{l.h.Driver(l.T), arrivals, i}, discovery.WithTTL(l.h.TTL))
		l.Cleanup(func() {
			if err := r.Close(); err != nil {
				l.Errorf("Registry.Close: %v", err)
			}
		})
		taps[i] = l.subscribe(r)
		regs[i] = r.Register(l.ctx, instance("payments", i))
	}
	sound := func(s discovery.State) bool { return s.Err == nil && s.Known }
	for _, p := range taps {
		p.await(l.patience(), "the service is known", sound)
	}
	l.h.SetDown(l.T, true)
	l.pass(2*l.h.TTL + l.h.Detect + 5*time.Second)
	arrivals.reset()
	l.h.SetDown(l.T, false)
	for i, p := range taps {
		p.await(5*time.Second+l.h.Detect+l.h.Visible, "the service is sound again", sound)
		if l.announces() && !l.registers(regs[i], 5*time.Second+l.h.Detect) {
			l.Fatalf("client %d is not registered again: %v", i, regs[i].Err())
		}
	}
	if most, all := arrivals.peak(slice); most > all/2 {
		l.Errorf("%d of %d requests succeeded within %v; want them spread out", most, all, slice)
	} else {
		l.Logf("at most %d of %d requests succeeded within %v", most, all, slice)
	}
}

// registers waits until the instance is registered.
func (l *lab) registers(reg *discovery.Registration, within time.Duration) bool {
	for deadline := time.Now().Add(within); !reg.Registered(); l.pass(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// arrivals are the times at which clients reached the engine.
type arrivals struct {
	mu    sync.Mutex
	times map[int][]time.Time
}

func (a *arrivals) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.times)
}

func (a *arrivals) add(client int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times[client] = append(a.times[client], time.Now())
}

// peak returns the largest number of arrivals within a slice of time, and the number of all arrivals.
func (a *arrivals) peak(slice time.Duration) (most, all int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices := make(map[time.Time]int)
	for _, times := range a.times {
		for _, at := range times {
			slices[at.Truncate(slice)]++
			all++
		}
	}
	for _, n := range slices {
		most = max(most, n)
	}
	return most, all
}

// arriving is a driver that records when it has reached its engine.
type arriving struct {
	driver.Driver
	arrivals *arrivals
	client   int
}

func (d arriving) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	lease, err := d.Driver.Announce(ctx, in, ttl)
	if err == nil {
		d.arrivals.add(d.client)
	}
	return lease, err
}

func (d arriving) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	first := true
	return d.Driver.Watch(ctx, service, func(list []driver.Instance) {
		if first {
			d.arrivals.add(d.client)
			first = false
		}
		emit(list)
	})
}
