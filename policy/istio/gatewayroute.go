package istio

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/policy"
)

// gatewayRoute reads a GRPCRoute or an HTTPRoute, for the calls within the mesh: those whose parent is a Service.
func (t *traffic) gatewayRoute(o *object) {
	d := &decoder{object: o, left: maxValues}
	switch o.kind {
	case kindGRPCRoute:
		spec := new(gatewayRouteSpec[grpcMatch])
		if d.specStruct(spec) {
			readGatewayRoute(t, o, spec, t.grpcMatch)
		}
	case kindHTTPRoute:
		spec := new(gatewayRouteSpec[httpMatch])
		if d.specStruct(spec) {
			readGatewayRoute(t, o, spec, t.httpMatch)
		}
	}
}

// readGatewayRoute reads the rules, each match as a route of its own, because all matches of all objects are ranked.
func readGatewayRoute[Match any](
	t *traffic, o *object, spec *gatewayRouteSpec[Match], match func(o *object, path string, m *Match) (routeMatch, bool),
) {
	sets := t.parents(o, spec.ParentRefs)
	if len(sets) == 0 {
		return
	}
	t.ignore(o, "spec.hostnames", "within the mesh the host is that of the parent")
	var routes []route
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		at := fmt.Sprintf("spec.rules[%d]", i)
		stated := t.gatewayRule(o, at, rule.Timeouts, rule.Retry)
		t.gatewayActions(o, at, rule.Filters, rule.BackendRefs)
		t.ignore(o, at+".sessionPersistence", "it needs cookies")
		for j := range rule.Matches {
			path := fmt.Sprintf("%s.matches[%d]", at, j)
			if m, ok := match(o, path, &rule.Matches[j]); ok {
				stated.matches = []routeMatch{m}
				routes = append(routes, stated)
			}
		}
		if len(rule.Matches) == 0 {
			stated.matches = nil
			routes = append(routes, stated)
		}
	}
	for _, set := range sets {
		set.routes = routes
		t.noteUnrouted(set)
	}
	t.gateway = append(t.gateway, sets...)
}

// parents are the Services that the object is about, as far as calls of the workload reach them. Routes of another
// namespace than that of the Service count for callers in their own namespace.
func (t *traffic) parents(o *object, refs []parentRef) []*routeSet {
	var sets []*routeSet
	for i, ref := range refs {
		at := fmt.Sprintf("spec.parentRefs[%d]", i)
		group, kind, namespace := gatewayGroup, "Gateway", o.namespace
		if ref.Group != nil {
			group = *ref.Group
		}
		if ref.Kind != nil {
			kind = *ref.Kind
		}
		if ref.Namespace != "" {
			namespace = ref.Namespace
		}
		var host string
		switch {
		case kind == "Service" && (group == "" || group == "core"):
			host = ref.Name + "." + namespace + t.workload.serviceSuffix()
		case kind == "ServiceEntry" && group == networkingGroup:
			t.note(o, at, "hosts of a ServiceEntry are not read, so the route does not count for it")
			continue
		default:
			t.note(o, at, "it is left to the %s %s; calls within the mesh do not take it", kind, ref.Name)
			continue
		}
		if namespace != o.namespace && o.namespace != t.workload.Namespace {
			t.note(o, at, "it counts for callers in the namespace %s alone", o.namespace)
			continue
		}
		t.askPort(o, at+".port")
		sets = append(sets, &routeSet{object: o, hosts: []string{host}, port: uint32(ref.Port)}) //nolint:gosec // a port
	}
	return sets
}

// gatewayRule reads what a rule states about time and retries.
func (t *traffic) gatewayRule(o *object, path string, timeouts gatewayTimeouts, retry *gatewayRetry) route {
	r := route{object: o, path: path}
	if o.kind == kindGRPCRoute {
		for _, field := range []string{"timeouts", "retry"} {
			if o.places[path+"."+field] != nil {
				o.wrongAt(path+"."+field, "a GRPCRoute has no such key; say it in an HTTPRoute or a VirtualService")
			}
		}
	}
	r.traffic.Deadline = o.stated(path+".timeouts.request", timeouts.Request)
	attempt := o.stated(path+".timeouts.backendRequest", timeouts.BackendRequest)
	if retry == nil {
		// As Istio has it: without retries, the time of one attempt is that of the call.
		if attempt.Stated() {
			r.traffic.Deadline = attempt
		}
		t.note(o, path, "the rule states no retries, and Istio retries twice then; here the policy of the method decides")
		return r
	}
	stated := retries{
		path: path + ".retry", count: 2, on: "connect-failure,refused-stream,unavailable,cancelled", onPath: path + ".retry",
		perAttempt: attempt, backoff: o.stated(path+".retry.backoff", retry.Backoff),
	}
	if retry.Attempts != nil {
		stated.count, stated.path = *retry.Attempts, path+".retry.attempts"
	}
	if stated.count < 0 {
		o.wrongAt(stated.path, "%d is negative; write the number of retries, or 0 for none", stated.count)
		stated.count = 0
	}
	for _, code := range retry.Codes {
		stated.on, stated.onPath = stated.on+","+strconv.FormatInt(code, 10), path+".retry.codes"
	}
	r.traffic.Retry = t.retry(o, stated)
	return r
}

// stated is the value of a duration with its place. Zero is none.
func (o *object) stated(path string, d time.Duration) policy.Value[time.Duration] {
	if d < 0 {
		o.wrongAt(path, "%v is negative; write a time like 250ms", d)
	}
	if d <= 0 {
		return policy.Value[time.Duration]{}
	}
	return policy.Value[time.Duration]{Value: d, Source: o.at(path)}
}

// grpcMatch reads a match of a GRPCRoute, with the expressions that Istio makes of it.
func (t *traffic) grpcMatch(o *object, path string, m *grpcMatch) (routeMatch, bool) {
	read := routeMatch{unknown: t.askHeaders(o, path, m.Headers), headers: len(m.Headers)}
	if m.Method == nil {
		return read, true
	}
	service, method, at := m.Method.Service, m.Method.Method, path+".method"
	switch {
	case service == "" && method == "":
		o.wrongAt(at, "neither service nor method is stated; state one of them")
	case m.Method.Type == "RegularExpression" && method == "":
		read.path = t.regex(o, at+".service", "/"+service+"/.+")
	case m.Method.Type == "RegularExpression" && service == "":
		read.path = t.regex(o, at+".method", "/[^/]+/"+method)
	case m.Method.Type == "RegularExpression":
		read.path = t.regex(o, at, "/"+service+"/"+method)
	case m.Method.Type != "" && m.Method.Type != "Exact":
		o.wrongAt(at+".type", "%s is none of the values%s", show(m.Method.Type),
			meant(m.Method.Type, []string{"Exact", "RegularExpression"}))
	case method == "":
		read.path = textMatch{kind: textPrefix, text: "/" + service + "/"}
	case service == "":
		read.path = t.regex(o, at+".method", "/[^/]+/"+regexp.QuoteMeta(method))
	default:
		read.path = textMatch{kind: textExact, text: "/" + service + "/" + method}
	}
	return read, true
}

// httpMatch reads a match of an HTTPRoute. It reports false where no call of gRPC fits it.
func (t *traffic) httpMatch(o *object, path string, m *httpMatch) (routeMatch, bool) {
	read := routeMatch{
		path:    textMatch{kind: textSegments, text: "/"},
		unknown: t.askHeaders(o, path, m.Headers), headers: len(m.Headers), posts: m.Method != "",
	}
	if m.Path != nil {
		text := "/"
		if m.Path.Value != nil {
			text = *m.Path.Value
		}
		switch m.Path.Type {
		case "Exact":
			read.path = textMatch{kind: textExact, text: text}
		case "RegularExpression":
			read.path = t.regex(o, path+".path.value", text)
		case "", "PathPrefix":
			if text != "/" {
				text = strings.TrimSuffix(text, "/")
			}
			read.path = textMatch{kind: textSegments, text: text}
		default:
			o.wrongAt(path+".path.type", "%s is none of the values%s", show(m.Path.Type),
				meant(m.Path.Type, []string{"Exact", "PathPrefix", "RegularExpression"}))
		}
	}
	return read, (m.Method == "" || m.Method == httpMethod) && len(m.QueryParams) == 0
}

// askHeaders reports whether a match asks for headers, and notes it.
func (t *traffic) askHeaders(o *object, path string, headers []headerMatch) bool {
	if len(headers) > 0 {
		t.note(o, path+".headers", "the match is not enforced, because headers of a call decide it; calls that fit it take "+
			"the next route that they fit")
	}
	return len(headers) > 0
}

// gatewayActions notes what a rule does with a call.
func (t *traffic) gatewayActions(o *object, path string, filters []gatewayFilter, backends []gatewayBackend) {
	redirected := false
	for i, f := range filters {
		at := fmt.Sprintf("%s.filters[%d]", path, i)
		switch f.Type {
		case "ExternalAuth":
			o.wrongAt(at, "the filter asks a service outside of this process whether a call may pass, which is not supported; "+
				"take it out and ask that service in an interceptor of the called program")
		case "RequestRedirect":
			redirected = true
			t.note(o, at, "the filter %s is not enforced: the call is made to its host", f.Type)
		default:
			t.note(o, at, "the filter %s is not enforced: a call is made once, to its host, with the metadata of the program",
				f.Type)
		}
	}
	weights := int64(0)
	for i, b := range backends {
		weight := int64(1)
		if b.Weight != nil {
			weight = *b.Weight
		}
		weights += weight
		if len(b.Filters) > 0 {
			t.note(o, fmt.Sprintf("%s.backendRefs[%d].filters", path, i), "the filters of a backend are not enforced")
		}
	}
	switch {
	case weights == 0 && !redirected:
		o.wrongAt(path, "the rule has no backend, and the mesh refuses these calls with 500, which is not supported; deny "+
			"them with an AuthorizationPolicy of the called service, and take the rule out")
	case len(backends) > 1:
		t.note(o, path+".backendRefs", "the weights are not enforced: calls go to the instances of their host")
	}
}
