package discoverytest

import (
	"errors"
	"slices"

	"github.com/parley-rpc/parley/discovery/driver"
)

// registerVisible: an announced instance is listed, with every field. A driver that does not announce instances returns
// an error at once.
func registerVisible(l *lab) {
	reader, in := l.driver(), full("payments")
	p := l.watch(reader, "payments")
	l.put(in)
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	l.watch(l.driver(), "payments").await(l.h.Visible, "a new client sees it too", l.lists(in))
	if reader.String() == "" {
		l.Error("String is empty; want the name of the engine")
	}
	if !l.announces() {
		if lease, err := reader.Announce(l.ctx, in, l.h.TTL); !errors.Is(err, driver.ErrNoRegistration) {
			l.Errorf("Announce: %v, %v; want ErrNoRegistration", lease, err)
		}
	}
}

// coldWatchListsNothing: an empty list is an answer.
func coldWatchListsNothing(l *lab) {
	l.watch(l.driver(), "nobody").await(l.h.Visible, "an empty list", l.lists())
}

// prefixIsolation: a service does not list instances of services with similar names.
func prefixIsolation(l *lab) {
	d := l.driver()
	names := slices.DeleteFunc(
		[]string{"user", "user-admin", "user.admin", "user_", "users", "use"},
		func(name string) bool {
			return l.h.Valid != nil && !l.h.Valid(name)
		},
	)
	taps := make([]*tap, 0, len(names))
	for _, name := range names {
		taps = append(taps, l.watch(d, name))
	}
	for i, name := range names {
		l.put(instance(name, i))
	}
	for i, name := range names {
		taps[i].await(l.h.Visible, "the instance of "+name, l.lists(instance(name, i)))
	}
	l.pass(l.h.Visible)
	for i, name := range names {
		for _, s := range taps[i].since(0) {
			for _, in := range s.Instances {
				if in.Service != name || !in.Equal(l.carried(instance(name, i))[0]) {
					l.Errorf("service %q shows %+v", name, in)
				}
			}
		}
		l.watch(l.driver(), name).await(l.h.Visible, "the instance of "+name+" for a new client", l.lists(instance(name, i)))
	}
}

// update: changes of an instance are listed, and the lease stays valid.
func update(l *lab) {
	p, in := l.watch(l.driver(), "payments"), full("payments")
	l.put(in)
	p.await(l.h.Visible, "the instance is listed", l.lists(in))
	in = in.Clone()
	in.Weight, in.Draining, in.Version, in.Zone = 9, true, "v2", ""
	in.Metadata = map[string]string{"shard": "8"}
	l.put(in)
	p.await(l.h.Visible, "the change is listed", l.lists(in))
	l.pass(2 * l.h.TTL)
	for key, lease := range l.leases {
		if lost(lease) {
			l.Errorf("the lease of %v is lost after an update", key)
		}
	}
	l.watch(l.driver(), "payments").await(l.h.Visible, "the change is there for good", l.lists(in))
}

// deregister: a revoked instance is removed at once, and other instances stay. Revoking it again returns no error.
func deregister(l *lab) {
	p := l.watch(l.driver(), "payments")
	leaving, staying := instance("payments", 1), instance("payments", 2)
	l.put(leaving)
	l.put(staying)
	p.await(l.h.Visible, "both are listed", l.lists(leaving, staying))
	lease := l.leases[[2]string{leaving.Service, leaving.ID}]
	l.remove(leaving)
	p.await(l.h.Visible, "one is left", l.lists(staying))
	if lease != nil {
		if err := lease.Revoke(l.ctx); err != nil {
			l.Errorf("Revoke again: %v", err)
		}
		if err := lease.Update(l.ctx, leaving); err == nil {
			l.Error("Update after Revoke returns nil")
		}
	}
	l.remove(staying)
	p.await(l.h.Visible, "the last one's leaving is an empty list", l.lists())
}

// lastAnnounceWins: a second registrar with the same ID replaces the first. The entry stays when the first one
// deregisters.
func lastAnnounceWins(l *lab) {
	p := l.watch(l.driver(), "payments")
	older, newer := instance("payments", 1), instance("payments", 1)
	newer.Version, newer.Addresses = "v2", []string{"10.9.9.9:8443"}
	l.put(older)
	p.await(l.h.Visible, "the first is listed", l.lists(older))
	if _, err := l.driver().Announce(l.ctx, newer, l.h.TTL); err != nil {
		l.Fatalf("Announce: %v", err)
	}
	p.await(l.h.Visible, "the second is listed", l.lists(newer))
	l.remove(older)
	l.pass(2*l.h.TTL + l.h.Visible)
	p.await(0, "the second is still listed", l.lists(newer))
}

// thousandInstances: many instances are all listed, by a client that follows them and by a new client.
func thousandInstances(l *lab) {
	many := l.many(1000)
	p := l.watch(l.driver(), "payments")
	want := make([]driver.Instance, 0, many)
	for n := range many {
		want = append(want, instance("payments", n))
	}
	if l.announces() {
		for _, in := range want {
			l.put(in)
		}
	} else {
		l.h.Set(l.T, "payments", want)
	}
	p.await(l.patience(), "all are listed", l.lists(want...))
	l.watch(l.driver(), "payments").await(l.patience(), "a new client sees all", l.lists(want...))
}
