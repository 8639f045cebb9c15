package istio

import (
	"fmt"
	"strings"
	"time"

	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/parley-rpc/parley/policy"
)

// destinationRule is a DestinationRule.
type destinationRule struct {
	object   *object
	host     string // in full; it may begin with an asterisk
	selected bool   // by a selector of its own
	states   bool   // that it has a traffic policy
	general  policy.Destination
	ports    map[uint32]policy.Destination // which replace what is general
}

// destinationRule reads a DestinationRule.
func (t *traffic) destinationRule(o *object) {
	r := new(networkingv1.DestinationRule)
	if d := (&decoder{object: o, left: maxValues}); !d.spec(r) {
		return
	}
	if r.GetHost() == "" {
		o.wrongAt("spec", "the host is missing; name that whose calls the object is about")
	}
	here := o.namespace == t.workload.Namespace
	labels := r.GetWorkloadSelector().GetMatchLabels()
	switch {
	case !here && !t.workload.exported(r.GetExportTo(), o.namespace):
		t.note(o, "spec.exportTo", "it is not exported to the namespace %s, and does not count here", t.workload.Namespace)
		return
	case r.GetWorkloadSelector() != nil && (!here || t.workload.unselected(labels) != ""):
		t.note(o, "spec.workloadSelector", "it does not select this workload, and does not count here")
		return
	}
	t.ignore(o, "spec.subsets", "calls go to all instances of their host")
	p := r.GetTrafficPolicy()
	rule := &destinationRule{
		object: o, host: t.workload.fullHost(r.GetHost(), o.namespace), selected: r.GetWorkloadSelector() != nil,
		states: p != nil, ports: map[uint32]policy.Destination{},
	}
	const path = "spec.trafficPolicy"
	rule.general = t.destination(o, path, p)
	rule.general.BudgetRatio = t.budgetRatio(o, path+".retryBudget", p.GetRetryBudget())
	for _, field := range []struct{ name, why string }{
		{"tunnel", "a client connects to the instances themselves"},
		{"proxyProtocol", "a client connects to the instances themselves"},
	} {
		t.ignore(o, path+"."+field.name, "%s", field.why)
	}
	for i, port := range p.GetPortLevelSettings() {
		at := fmt.Sprintf("%s.portLevelSettings[%d]", path, i)
		t.askPort(o, at+".port")
		own := t.destination(o, at, port)
		own.BudgetRatio = rule.general.BudgetRatio
		rule.ports[port.GetPort().GetNumber()] = own
	}
	t.destinations = append(t.destinations, rule)
}

// settings are those of all ports, or of one.
type settings interface {
	GetLoadBalancer() *networkingv1.LoadBalancerSettings
	GetConnectionPool() *networkingv1.ConnectionPoolSettings
	GetOutlierDetection() *networkingv1.OutlierDetection
}

func (t *traffic) destination(o *object, path string, p settings) policy.Destination {
	var to policy.Destination
	t.ignore(o, path+".tls", "both ends prove who they are to each other, with their own keys")
	t.balancing(o, path+".loadBalancer", p.GetLoadBalancer(), &to)
	if d := p.GetOutlierDetection(); d != nil {
		t.outliers(o, path+".outlierDetection", d, &to)
	}
	pool := p.GetConnectionPool()
	if tcp := pool.GetTcp(); tcp != nil {
		t.ignoreOthers(o, path+".connectionPool.tcp", tcp, "a client has one connection to each instance, with keepalive")
	}
	if http := pool.GetHttp(); http != nil {
		t.ignoreOthers(o, path+".connectionPool.http", http, "a client does not limit its calls; the server does, and the "+
			"budget limits retries")
	}
	return to
}

func (t *traffic) balancing(o *object, path string, lb *networkingv1.LoadBalancerSettings, to *policy.Destination) {
	if lb == nil {
		return
	}
	t.ignoreOthers(o, path, lb, "instances in the own zone are preferred by themselves", "simple", "consistentHash")
	simple := path + ".simple"
	state := func(name, at string) { to.Balancing = policy.Value[string]{Value: name, Source: o.at(at)} }
	if o.places[simple] != nil {
		switch lb.GetSimple() {
		case networkingv1.LoadBalancerSettings_ROUND_ROBIN:
			state("round_robin", simple)
		case networkingv1.LoadBalancerSettings_LEAST_REQUEST,
			networkingv1.LoadBalancerSettings_LEAST_CONN: //nolint:staticcheck // deprecated, and in files
			state("least_request", simple)
		case networkingv1.LoadBalancerSettings_RANDOM, networkingv1.LoadBalancerSettings_PASSTHROUGH:
			t.ignore(o, simple, "there is no such balancing; the client keeps its own")
		case networkingv1.LoadBalancerSettings_UNSPECIFIED:
		}
	}
	hash := lb.GetConsistentHash()
	if hash == nil {
		return
	}
	at := path + ".consistentHash"
	if header := lower(hash.GetHttpHeaderName()); header != "" {
		if strings.HasSuffix(header, "-bin") || strings.HasPrefix(header, ":") || strings.HasPrefix(header, "grpc-") {
			t.ignore(o, at+".httpHeaderName", "calls cannot be spread by this header")
			return
		}
		state("ring_hash", at+".httpHeaderName")
		to.HashMetadata = policy.Value[string]{Value: header, Source: o.at(at + ".httpHeaderName")}
	}
	t.ignoreOthers(o, at, hash, "calls are spread by a header alone, over a ring of the usual size", "httpHeaderName")
}

// outliers translates what has the same meaning. Istio counts failures in a row, and Parley the share of failures.
func (t *traffic) outliers(o *object, path string, d *networkingv1.OutlierDetection, to *policy.Destination) {
	t.ignoreOthers(o, path, d, "an instance rests by the share of its calls that fail",
		"interval", "baseEjectionTime", "maxEjectionPercent", "failurePercentageThreshold")
	none := d.GetConsecutive_5XxErrors() != nil && d.GetConsecutive_5XxErrors().GetValue() == 0 &&
		d.GetConsecutiveGatewayErrors().GetValue() == 0 && d.GetFailurePercentageThreshold().GetValue() == 0
	if none {
		to.OutliersOff = policy.Value[bool]{Value: true, Source: o.at(path + ".consecutive5xxErrors")}
		return
	}
	to.Interval = t.atMost(o, path+".interval", o.positive(path+".interval", d.GetInterval()))
	to.Rest = t.atMost(o, path+".baseEjectionTime", o.positive(path+".baseEjectionTime", d.GetBaseEjectionTime()))
	to.MaxPercent = o.percent(path+".maxEjectionPercent", int64(d.GetMaxEjectionPercent()))
	to.FailurePercent = o.percent(path+".failurePercentageThreshold", int64(d.GetFailurePercentageThreshold().GetValue()))
}

// atMost shortens what may not be longer here.
func (t *traffic) atMost(o *object, path string, v policy.Value[time.Duration]) policy.Value[time.Duration] {
	if v.Value > longestRest {
		t.note(o, path, "%v is %v here, which is the most", v.Value, longestRest)
		v.Value = longestRest
	}
	return v
}

// percent reads a percentage. Nothing is stated where it is missing, or zero, which is the default to Istio.
func (o *object) percent(path string, n int64) policy.Value[int] {
	if n < 0 || n > 100 {
		o.wrongAt(path, "%d is no percentage; write 0 to 100", n)
	}
	if n <= 0 || n > 100 {
		return policy.Value[int]{}
	}
	return policy.Value[int]{Value: int(n), Source: o.at(path)}
}

// budgetRatio translates a retry budget. Istio pays retries of the calls in flight, and Parley of those that succeed:
// with both, the retries are at most that share of the calls.
func (t *traffic) budgetRatio(
	o *object, path string, b *networkingv1.TrafficPolicy_RetryBudget,
) policy.Value[float64] {
	if b == nil {
		return policy.Value[float64]{}
	}
	t.ignore(o, path+".minRetryConcurrency", "retries without successes are those that the bucket of the client holds")
	t.ignore(o, path+".budgetInterval", "the bucket of the client has no interval")
	percent, at := defaultBudgetPercent, path
	if b.GetPercent() != nil {
		percent, at = b.GetPercent().GetValue(), path+".percent"
	}
	if percent < 0 || percent > 100 {
		o.wrongAt(at, "%v is no percentage; write 0 to 100", percent)
		return policy.Value[float64]{}
	}
	return policy.Value[float64]{Value: percent / 100, Source: o.at(at)}
}
