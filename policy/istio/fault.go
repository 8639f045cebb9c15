package istio

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	networkingv1 "istio.io/api/networking/v1alpha3"

	"github.com/parley-rpc/parley/policy"
)

// fault is what a route of a VirtualService does to calls so that their callers can be tested.
type fault struct {
	delay   time.Duration
	delayed float64 // percent of the calls
	aborted float64 // percent of the calls
	code    codes.Code
	abort   string // what the answer says
	source  policy.Source
}

// httpFault reads a fault. It is noted as not enforced: a program injects it on purpose, with Faults.
func (t *traffic) httpFault(o *object, path string, stated *networkingv1.HTTPFaultInjection) *fault {
	if stated == nil {
		return nil
	}
	if stated.GetDelay() == nil && stated.GetAbort() == nil {
		o.wrongAt(path, "neither delay nor abort is stated, which Istio refuses; state one, or take the fault out")
	}
	f := &fault{source: o.at(path)}
	if d := stated.GetDelay(); d != nil {
		if d.GetExponentialDelay() != nil {
			o.wrongAt(path+".delay.exponentialDelay", "Istio does not support it; write fixedDelay")
		}
		f.delay = o.positive(path+".delay.fixedDelay", d.GetFixedDelay()).Value
		whole := float64(d.GetPercent()) //nolint:staticcheck // deprecated, and in files
		f.delayed = o.share(path+".delay", d.GetPercentage(), whole)
	}
	if a := stated.GetAbort(); a != nil {
		f.aborted = o.share(path+".abort", a.GetPercentage(), 0)
		f.abortWith(o, path+".abort", a)
	}
	t.note(o, path, "the fault (%s) is not enforced, unless a program under test injects it with istio.Faults", f)
	return f
}

// share reads a percentage. Without one, no call is met.
func (o *object) share(path string, p *networkingv1.Percent, otherwise float64) float64 {
	if p != nil {
		otherwise, path = p.GetValue(), path+".percentage"
	}
	if otherwise < 0 || otherwise > 100 {
		o.wrongAt(path, "%v is no percentage; write 0 to 100", otherwise)
		return 0
	}
	return otherwise
}

// abortWith reads the answer of aborted calls.
func (f *fault) abortWith(o *object, path string, a *networkingv1.HTTPFaultInjection_Abort) {
	switch kind := a.GetErrorType().(type) {
	case *networkingv1.HTTPFaultInjection_Abort_GrpcStatus:
		if err := f.code.UnmarshalJSON([]byte(`"` + kind.GrpcStatus + `"`)); err != nil || f.code == codes.OK {
			o.wrongAt(path+".grpcStatus", "%s is no status of a failure; write one like UNAVAILABLE", show(kind.GrpcStatus))
		}
		f.abort = kind.GrpcStatus
	case *networkingv1.HTTPFaultInjection_Abort_HttpStatus:
		if kind.HttpStatus < 200 || kind.HttpStatus > 600 {
			o.wrongAt(path+".httpStatus", "%d is no status of HTTP; write 200 to 599", kind.HttpStatus)
		}
		f.code, f.abort = seenAs(kind.HttpStatus), fmt.Sprintf("HTTP status %d", kind.HttpStatus)
	case *networkingv1.HTTPFaultInjection_Abort_Http2Error:
		o.wrongAt(path+".http2Error", "Istio does not support it; write grpcStatus or httpStatus")
	default:
		f.aborted = 0 // as in Istio, which warns of it
	}
}

// seenAs is what a client of gRPC makes of an answer that is no gRPC (doc/http-grpc-status-mapping.md of grpc/grpc).
func seenAs(status int32) codes.Code {
	switch status {
	case 400:
		return codes.Internal
	case 401:
		return codes.Unauthenticated
	case 403:
		return codes.PermissionDenied
	case 404:
		return codes.Unimplemented
	case 429, 502, 503, 504:
		return codes.Unavailable
	default:
		return codes.Unknown
	}
}

// String is "delay 5s in 10% of the calls, UNAVAILABLE in 1%".
func (f *fault) String() string {
	var parts []string
	if f.delay > 0 {
		parts = append(parts, fmt.Sprintf("delay of %v in %v%% of the calls", f.delay, f.delayed))
	}
	if f.abort != "" {
		parts = append(parts, fmt.Sprintf("%s in %v%% of the calls", f.abort, f.aborted))
	}
	return strings.Join(parts, ", ")
}
