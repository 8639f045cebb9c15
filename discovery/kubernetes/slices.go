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

// instances merges the slices of a service. A pod can be in several slices, because it has an IPv4 and an IPv6 address
// or because it moves from one slice to another. It is one instance.
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

// podName is the metadata key for the name of the pod, for display.
const podName = "pod"

// instance reads an endpoint. It returns false for an endpoint that must not be called.
func instance(service, port string, e discoveryv1.Endpoint) (driver.Instance, bool) {
	if len(e.Addresses) == 0 {
		return driver.Instance{}, false
	}
	// The API defines the defaults: an unset ready means true, and an unset serving means the value of ready.
	ready := orDefault(e.Conditions.Ready, true)
	terminating := orDefault(e.Conditions.Terminating, false)
	serving := orDefault(e.Conditions.Serving, ready)
	if terminating && !serving || !terminating && !ready {
		return driver.Instance{}, false
	}
	addr := net.JoinHostPort(e.Addresses[0], port) // further addresses are equivalent, says the API
	in := driver.Instance{ID: addr, Service: service, Addresses: []string{addr}, Draining: terminating}
	if ref := e.TargetRef; ref != nil && ref.Name != "" {
		// The name is not unique: a StatefulSet can start a pod of the same name while the previous one terminates.
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

// merge joins two entries of one instance. The instance drains if one of the entries does.
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

// hinted returns the instances with a hint for the configured zone. If an instance has no hints, or no instance has a
// hint for the zone, it returns all instances, because a partial list would be wrong.
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
