package istio

import (
	"fmt"
	"slices"

	networkingv1 "istio.io/api/networking/v1alpha3"
)

const (
	kindVirtualService  = "VirtualService"
	kindDestinationRule = "DestinationRule"
)

// meshGateway is the name of all sidecars in the lists of gateways.
const meshGateway = "mesh"

// virtualService reads a VirtualService.
func (t *traffic) virtualService(o *object) {
	v := new(networkingv1.VirtualService)
	if d := (&decoder{object: o, left: maxValues}); !d.spec(v) {
		return
	}
	if len(v.GetHosts()) == 0 {
		o.wrongAt("spec", "the hosts are missing; name those whose calls the object is about")
	}
	set := &routeSet{object: o}
	for i, host := range v.GetHosts() {
		if host == "" {
			o.wrongAt(fmt.Sprintf("spec.hosts[%d]", i), "the host is empty; name one, or take it out")
			continue
		}
		set.hosts = append(set.hosts, t.workload.fullHost(host, o.namespace))
	}
	counts := t.workload.exported(v.GetExportTo(), o.namespace)
	switch {
	case !counts:
		t.note(o, "spec.exportTo", "it is not exported to the namespace %s, and does not count here", t.workload.Namespace)
	case len(v.GetGateways()) > 0 && !slices.Contains(v.GetGateways(), meshGateway):
		t.note(o, "spec.gateways", "it is left to the gateways; calls within the mesh do not take it")
		counts = false
	}
	if !counts {
		// What is wrong in it is reported all the same, and nothing of it is noted.
		silent := &traffic{selection: &selection{workload: t.workload}}
		for i, stated := range v.GetHttp() {
			silent.httpRoute(o, fmt.Sprintf("spec.http[%d]", i), stated, set.hosts, false)
		}
		return
	}
	t.ignore(o, "spec.tcp", "a call of gRPC takes the routes of http")
	t.ignore(o, "spec.tls", "a call of gRPC takes the routes of http")
	for i, stated := range v.GetHttp() {
		set.routes = append(set.routes, t.httpRoute(o, fmt.Sprintf("spec.http[%d]", i), stated, set.hosts, true))
	}
	t.noteUnrouted(set)
	t.services = append(t.services, set)
}

// noteUnrouted notes that Istio answers calls that no route takes with 404.
func (t *traffic) noteUnrouted(set *routeSet) {
	open := slices.ContainsFunc(set.routes, func(r route) bool {
		return len(r.matches) == 0 || slices.ContainsFunc(r.matches, func(m routeMatch) bool { return m.isGeneral() })
	})
	if len(set.routes) > 0 && !open {
		t.note(set.object, "spec.http", "calls that no route takes fail in the mesh; here they are made, as if nothing was "+
			"stated about them")
	}
}

// httpRoute reads one route of a VirtualService. Counts says that calls of the workload may take it.
func (t *traffic) httpRoute(
	o *object, path string, stated *networkingv1.HTTPRoute, hosts []string, counts bool,
) route {
	r := route{object: o, path: path, matches: t.httpMatches(o, path, stated)}
	reachable := counts && (len(stated.GetMatch()) == 0 || len(r.matches) > 0)
	known := len(r.matches) == 0 || slices.ContainsFunc(r.matches, func(m routeMatch) bool { return !m.unknown })
	if counts && !reachable {
		r.matches = []routeMatch{{unknown: true}}
		t.note(o, path, "no call of this workload takes the route")
	}
	r.traffic.Deadline = o.positive(path+".timeout", stated.GetTimeout())
	if s := stated.GetRetries(); s != nil {
		r.traffic.Retry = t.retry(o, t.httpRetries(o, path+".retries", s))
	} else if reachable && known {
		t.note(o, path, "the route states no retries, and Istio retries twice then; here the policy of the method decides")
	}
	limit, attempt := r.traffic.Deadline, r.traffic.Retry.PerAttemptTimeout
	if limit.Stated() && attempt.Value > limit.Value {
		t.note(o, path+".retries.perTryTimeout", "%v is longer than the timeout, %v, which ends the attempt", attempt.Value,
			limit.Value)
	}
	r.fault = t.httpFault(o, path+".fault", stated.GetFault())
	t.httpActions(o, path, stated, hosts, reachable)
	return r
}

// httpMatches reads the matches of a route, without those that no call of the workload fits.
func (t *traffic) httpMatches(o *object, path string, stated *networkingv1.HTTPRoute) []routeMatch {
	var matches []routeMatch
	for i, m := range stated.GetMatch() {
		at := fmt.Sprintf("%s.match[%d]", path, i)
		read := routeMatch{
			path:      t.stringMatch(o, at+".uri", m.GetUri()),
			authority: t.stringMatch(o, at+".authority", m.GetAuthority()),
			port:      m.GetPort(),
		}
		read.path.anyCase = m.GetIgnoreUriCase()
		method := t.stringMatch(o, at+".method", m.GetMethod())
		for _, field := range []string{"headers", "withoutHeaders", "scheme"} {
			if o.places[at+"."+field] != nil {
				read.unknown = true
				t.note(o, at+"."+field, "the match is not enforced, because %s of a call decide it; calls that fit it take the "+
					"next route that they fit", field)
			}
		}
		t.askPort(o, at+".port")
		gateways, labels := m.GetGateways(), m.GetSourceLabels()
		here := slices.Contains(gateways, meshGateway) || len(gateways) == 0 && t.workload.unselected(labels) == "" &&
			(m.GetSourceNamespace() == "" || m.GetSourceNamespace() == t.workload.Namespace)
		if !here || !method.matches(httpMethod) || len(m.GetQueryParams()) > 0 { // of which a path of gRPC has none
			continue
		}
		matches = append(matches, read)
	}
	return matches
}

// httpRetries reads the retries of a route of a VirtualService.
func (t *traffic) httpRetries(o *object, path string, stated *networkingv1.HTTPRetry) retries {
	r := retries{
		path: path, count: int64(stated.GetAttempts()), on: defaultRetryOn, onPath: path,
		perAttempt: o.positive(path+".perTryTimeout", stated.GetPerTryTimeout()),
		backoff:    o.positive(path+".backoff", stated.GetBackoff()),
	}
	if o.places[path+".attempts"] != nil {
		r.path = path + ".attempts"
	}
	if stated.GetRetryOn() != "" {
		r.on, r.onPath = stated.GetRetryOn(), path+".retryOn"
	}
	switch {
	case r.count < 0:
		o.wrongAt(path+".attempts", "%d is negative; write the number of retries, or 0 for none", r.count)
		r.count = 0
	case r.count == 0 && (stated.GetPerTryTimeout() != nil || stated.GetRetryOn() != "" ||
		stated.GetRetryRemoteLocalities() != nil):
		o.wrongAt(path, "attempts are 0, which is no retry, and there is more about retries, which Istio refuses; state "+
			"attempts, or take the rest out")
	}
	t.ignore(o, path+".retryRemoteLocalities", "another attempt goes to an instance that was not tried, and first to "+
		"one in the own zone")
	if p := stated.GetRetryIgnorePreviousHosts(); p != nil && !p.GetValue() {
		t.ignore(o, path+".retryIgnorePreviousHosts", "another attempt always prefers an instance that was not tried")
	}
	return r
}

// httpActions notes what else a route does with a call.
func (t *traffic) httpActions(
	o *object, path string, r *networkingv1.HTTPRoute, hosts []string, counts bool,
) {
	if status := r.GetDirectResponse().GetStatus(); counts && r.GetDirectResponse() != nil {
		if status >= 400 {
			o.wrongAt(path+".directResponse", "the mesh answers these calls with %d and does not let them through, which is "+
				"not supported; deny them with an AuthorizationPolicy of the called service, and take the route out", status)
		}
		t.ignore(o, path+".directResponse", "the call is made")
	}
	for _, field := range []struct{ name, why string }{
		{"redirect", "the call is made to its host"},
		{"delegate", "the routes of the other object are not read from here"},
		{"rewrite", "a method has one name"},
		{"mirror", "a call is made once"},
		{"mirrors", "a call is made once"},
		{"mirrorPercent", "a call is made once"},
		{"mirrorPercentage", "a call is made once"},
		{"corsPolicy", "it is for browsers"},
		{"headers", "metadata is that of the program"},
	} {
		t.ignore(o, path+"."+field.name, "%s", field.why)
	}
	if len(r.GetRoute()) > 1 {
		t.ignore(o, path+".route", "calls go to the instances of their host, without weights")
		return
	}
	for i, to := range r.GetRoute() {
		at := fmt.Sprintf("%s.route[%d]", path, i)
		t.ignore(o, at+".headers", "metadata is that of the program")
		t.ignore(o, at+".destination.subset", "calls go to all instances of their host")
		t.ignore(o, at+".destination.port", "calls go to the port that the client has")
		if !slices.Contains(hosts, t.workload.fullHost(to.GetDestination().GetHost(), o.namespace)) {
			t.ignore(o, at+".destination.host", "calls go to the instances of the host that the client names")
		}
	}
}
