package kubernetes

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/parley-rpc/parley/discovery/driver"
)

// instances merges the slices of a service. A pod that is in several, with an IPv4 and an IPv6 address or while it
// moves from one slice to another, is one instance.
func (d *Driver) instances(service string, parts map[string]*discoveryv1.EndpointSlice) []driver.Instance {
	byID := make(map[string]driver.Instance)
	hints := make(map[string][]discoveryv1.ForZone)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		port, ok := d.port(parts[name].Ports)
		if !ok {
			continue
		}
		for _, e := range parts[name].Endpoints {
			in, ok := instance(service, port, e)
			if !ok {
				continue
			}
			if other, twice := byID[in.ID]; twice {
				in = merge(other, in)
			}
			byID[in.ID] = in
			if e.Hints != nil {
				hints[in.ID] = e.Hints.ForZones
			}
		}
	}
	list := slices.SortedFunc(maps.Values(byID), func(a, b driver.Instance) int { return cmp.Compare(a.ID, b.ID) })
	return d.hinted(list, hints)
}

// port returns the port to call: the one with the configured name, or the only one.
func (d *Driver) port(ports []discoveryv1.EndpointPort) (string, bool) {
	for _, p := range ports {
		if p.Port != nil && (len(ports) == 1 || p.Name != nil && *p.Name == d.config.Port) {
			return strconv.Itoa(int(*p.Port)), true
		}
	}
	return "", false
}

// podName is the key of an instance's metadata that holds the name of its pod, for people.
const podName = "pod"

// instance reads an endpoint. It returns false for one that is not to be called.
func instance(service, port string, e discoveryv1.Endpoint) (driver.Instance, bool) {
	if len(e.Addresses) == 0 {
		return driver.Instance{}, false
	}
	// What is unknown counts as ready, and as serving if it is ready.
	ready := orDefault(e.Conditions.Ready, true)
	terminating := orDefault(e.Conditions.Terminating, false)
	serving := orDefault(e.Conditions.Serving, ready)
	if terminating && !serving || !terminating && !ready {
		return driver.Instance{}, false
	}
	addr := net.JoinHostPort(e.Addresses[0], port) // the API says that further ones mean the same
	in := driver.Instance{ID: addr, Service: service, Addresses: []string{addr}, Draining: terminating}
	if ref := e.TargetRef; ref != nil && ref.Name != "" {
		// The name alone does not do: a pod of a StatefulSet comes back under its name while the former one terminates.
		in.ID = cmp.Or(string(ref.UID), ref.Name)
		in.Metadata = map[string]string{podName: ref.Name}
	}
	if e.Zone != nil {
		in.Zone = *e.Zone
	}
	return in, true
}

func orDefault(condition *bool, otherwise bool) bool {
	if condition == nil {
		return otherwise
	}
	return *condition
}

// merge joins two entries of one instance. If one of them says that it drains, it does.
func merge(a, b driver.Instance) driver.Instance {
	for _, addr := range b.Addresses {
		if !slices.Contains(a.Addresses, addr) {
			a.Addresses = append(slices.Clip(a.Addresses), addr)
		}
	}
	a.Draining = a.Draining || b.Draining
	a.Zone = cmp.Or(a.Zone, b.Zone)
	return a
}

// hinted returns the instances that are meant for the configured zone, or all where somebody is without hints or nobody
// is meant for it: a list of a few would then be wrong.
func (d *Driver) hinted(list []driver.Instance, hints map[string][]discoveryv1.ForZone) []driver.Instance {
	if d.config.Zone == "" {
		return list
	}
	var meant []driver.Instance
	staying := false
	for _, in := range list {
		zones := hints[in.ID]
		if len(zones) == 0 {
			return list
		}
		if slices.ContainsFunc(zones, func(z discoveryv1.ForZone) bool { return z.Name == d.config.Zone }) {
			meant = append(meant, in)
			staying = staying || !in.Draining
		}
	}
	if !staying {
		return list
	}
	return meant
}
