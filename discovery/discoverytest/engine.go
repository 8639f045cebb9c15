package discoverytest

import (
	"context"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/discovery/driver"
)

// instance returns the nth instance of a service.
func instance(service string, n int) driver.Instance {
	addr := fmt.Sprintf("10.%d.%d.%d:8443", n>>16, n>>8&255, n&255)
	return driver.Instance{ID: addr, Service: service, Addresses: []string{addr}}
}

// full returns an instance that uses every field.
func full(service string) driver.Instance {
	in := instance(service, 7)
	in.Addresses = append(in.Addresses, "[2001:db8::7]:8443")
	in.Zone, in.Weight, in.Version = "zone-b", 5, "v1.2.3"
	in.Metadata = map[string]string{"shard": "7", "text": "zwölf = 12; \"quoted\""}
	return in
}

// put adds an instance to the engine, or updates it.
func (l *lab) put(in driver.Instance) {
	l.Helper()
	if !l.announces() {
		l.listed[in.Service] = append(without(l.listed[in.Service], in.ID), in)
		l.h.Set(l.T, in.Service, slices.Clone(l.listed[in.Service]))
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.patience())
	defer cancel()
	key := [2]string{in.Service, in.ID}
	if lease, ok := l.leases[key]; ok {
		if err := lease.Update(ctx, in); err != nil {
			l.Fatalf("Update: %v", err)
		}
		return
	}
	lease, err := l.writer.Announce(ctx, in, l.h.TTL)
	if err != nil {
		l.Fatalf("Announce: %v", err)
	}
	l.leases[key] = lease
}

// remove removes an instance from the engine.
func (l *lab) remove(in driver.Instance) {
	l.Helper()
	if !l.announces() {
		l.listed[in.Service] = without(l.listed[in.Service], in.ID)
		l.h.Set(l.T, in.Service, slices.Clone(l.listed[in.Service]))
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.patience())
	defer cancel()
	key := [2]string{in.Service, in.ID}
	if err := l.leases[key].Revoke(ctx); err != nil {
		l.Fatalf("Revoke: %v", err)
	}
	delete(l.leases, key)
}

func without(list []driver.Instance, id string) []driver.Instance {
	return slices.DeleteFunc(slices.Clone(list), func(in driver.Instance) bool { return in.ID == id })
}
