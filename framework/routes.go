package framework

import (
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/policy"
)

// routed returns b with what the routes of a mesh state about the called host.
func routed(b grpcbalancer.Balancing, to policy.Destination) grpcbalancer.Balancing {
	if to.Balancing.Stated() {
		b.Policy, b.HashMetadata = to.Balancing.Value, to.HashMetadata.Value
	}
	var o grpcbalancer.Outliers
	if b.Outliers != nil {
		o = *b.Outliers
	}
	before := o
	if to.OutliersOff.Stated() {
		o.Off = to.OutliersOff.Value
	}
	if to.Interval.Stated() {
		o.Interval = to.Interval.Value
	}
	if to.FailurePercent.Stated() {
		o.FailurePercent = to.FailurePercent.Value
	}
	if to.Rest.Stated() {
		o.Rest = to.Rest.Value
	}
	if to.MaxPercent.Stated() {
		o.MaxPercent = to.MaxPercent.Value
	}
	if o != before {
		b.Outliers = &o
	}
	return b
}
