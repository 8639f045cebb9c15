package istio

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-rpc/parley/policy"
)

// traffic is the objects of the files that say how the workload calls other services.
type traffic struct {
	*selection
	services     []*routeSet // VirtualServices
	gateway      []*routeSet // routes of the Gateway API
	destinations []*destinationRule
}

// routeSet is the routes of one object, for the hosts that it names.
type routeSet struct {
	object *object
	hosts  []string // in full; a host may begin with an asterisk
	port   uint32   // 0 for any; of the Gateway API
	routes []route
}

// route is one route: which calls take it, and what it states about them.
type route struct {
	object  *object
	path    string       // "spec.http[0]"
	matches []routeMatch // none where every call takes the route
	traffic policy.Traffic
	fault   *fault
}

// takes reports whether a call of a method to a host takes the route, whatever else is in the call.
func (r *route) takes(h meshHost, method string) bool {
	for i := range r.matches {
		if r.matches[i].fits(h, method) {
			return true
		}
	}
	return len(r.matches) == 0
}

// traffic reads the objects about calls to other services.
func (s *selection) traffic(objects []*object) *traffic {
	t := &traffic{selection: s}
	for _, o := range objects {
		switch o.kind {
		case kindVirtualService:
			t.virtualService(o)
		case kindDestinationRule:
			t.destinationRule(o)
		case kindGRPCRoute, kindHTTPRoute:
			t.gatewayRoute(o)
		}
	}
	return t
}

// ignore notes that a value is not enforced, if it is stated.
func (t *traffic) ignore(o *object, path, format string, args ...any) {
	if o.places[path] != nil {
		t.note(o, path, "%s is not enforced: %s", path, fmt.Sprintf(format, args...))
	}
}

// ignoreOthers notes every stated field of a message but those that are known.
func (t *traffic) ignoreOthers(o *object, path string, m protoreflect.ProtoMessage, why string, known ...string) {
	read := map[string]bool{}
	for _, name := range known {
		read[name] = true
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := fields.Get(i).JSONName(); !read[name] {
			t.ignore(o, path+"."+name, "%s", why)
		}
	}
}

// askPort notes that a value counts for one port of a host.
func (t *traffic) askPort(o *object, path string) {
	if o.places[path] != nil {
		t.note(o, path, "it counts for clients whose host states this port (clients.<name>.host)")
	}
}

// at is the source of the value of a path.
func (o *object) at(path string) policy.Source {
	return policy.Source{Kind: policy.KindFile, Place: o.placeOf(path)}
}

// positive reads a duration. Nothing is stated where it is missing, or zero, which is none to Istio.
func (o *object) positive(path string, d *durationpb.Duration) policy.Value[time.Duration] {
	if d.AsDuration() < 0 {
		o.wrongAt(path, "%v is negative; write a time like 250ms", d.AsDuration())
	}
	if d.AsDuration() <= 0 {
		return policy.Value[time.Duration]{}
	}
	return policy.Value[time.Duration]{Value: d.AsDuration(), Source: o.at(path)}
}

// retries is what a route states about retries, in words that VirtualService and HTTPRoute share.
type retries struct {
	path       string
	count      int64 // beyond the first attempt
	on         string
	onPath     string // where on is stated
	perAttempt policy.Value[time.Duration]
	backoff    policy.Value[time.Duration]
}

// retry translates retries. The counts of Istio leave the first attempt out, and those of Parley count it.
func (t *traffic) retry(o *object, r retries) policy.Retry {
	retry := policy.Retry{
		MaxAttempts:       policy.Value[int]{Value: int(min(r.count, maxAttempts-1)) + 1, Source: o.at(r.path)},
		PerAttemptTimeout: r.perAttempt,
		InitialBackoff:    r.backoff,
	}
	if r.count == 0 {
		return policy.Retry{MaxAttempts: retry.MaxAttempts}
	}
	if r.count >= maxAttempts {
		t.note(o, r.path, "%d retries are %d here, because no call has more than %d attempts", r.count, maxAttempts-1,
			maxAttempts)
	}
	if r.backoff.Stated() { // as Envoy does where no maximum is stated
		retry.MaxBackoff = policy.Value[time.Duration]{
			Value: min(r.backoff.Value, longestBackoff) * backoffGrowth, Source: r.backoff.Source,
		}
	}
	on := readRetryOn(r.on)
	for _, word := range on.unknown {
		o.wrongAt(r.onPath, "%s is no condition for retries%s", show(word), meant(word, words()))
	}
	for _, word := range on.ignored {
		t.note(o, r.onPath, "the condition %s is not enforced: no status of gRPC says it", word)
	}
	retry.Codes = policy.Value[[]codes.Code]{Value: on.codes, Source: o.at(r.onPath)}
	t.note(o, r.path, "only calls that may be repeated are retried (idempotency_level in the .proto, or idempotency in "+
		"code or configuration), and only as far as the budget pays; Istio repeats every call")
	return retry
}
