package grpcbalancer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/balancer"
	_ "google.golang.org/grpc/balancer/leastrequest" // least_request
	"google.golang.org/grpc/balancer/ringhash"
)

// The names of the balancing policies. A program may register other policies and use them by their gRPC name.
const (
	// ZoneWeighted is round robin with the weights of the instances, and prefers instances in the zone of this process.
	// For instances without zones and weights it works like RoundRobin.
	ZoneWeighted = "zone_weighted"
	// RoundRobin uses the instances in turn.
	RoundRobin = "round_robin"
	// LeastRequest picks two random instances and uses the one with fewer calls of this channel in flight (gRFC A48). It
	// is for calls of very different cost.
	LeastRequest = "least_request"
	// WeightedRoundRobin distributes calls by the load that the instances report (gRFC A58). Servers of Parley report
	// their load with framework.WithLoadReports. Until at least two instances have sent reports for 10s, it works like
	// RoundRobin.
	WeightedRoundRobin = "weighted_round_robin"
	// RingHash sends all calls with the same hash key to the same instance. Few keys move when instances come or go (gRFC
	// A42, A76). It does not use health checks: a connected server keeps its keys even if it reports that it does not
	// serve.
	RingHash = "ring_hash"
	// PickFirst uses one instance while it is connected. It is for a virtual address of a load balancer.
	PickFirst = "pick_first"
)

// known returns the gRPC names of the policies, by the names of this package.
func known() map[string]string {
	return map[string]string{
		ZoneWeighted:       zonesName,
		RoundRobin:         RoundRobin,
		LeastRequest:       "least_request_experimental",
		WeightedRoundRobin: loadsName,
		RingHash:           ringhash.Name,
		PickFirst:          PickFirst,
	}
}

// Balancing is how a channel distributes its calls over the instances of a service. The zero value is ZoneWeighted
// without a zone.
type Balancing struct {
	// Policy is one of the names of this package, or the gRPC name of a policy that the program registers. Default:
	// ZoneWeighted.
	Policy string
	// Zone is the zone of this process. ZoneWeighted prefers instances in the same zone.
	Zone string
	// HashMetadata is the key of the outgoing metadata whose value is the hash key of RingHash. Without it, [WithHashKey]
	// sets the hash key. A call without a hash key goes to a random instance.
	HashMetadata string
	// Subset limits the number of instances that one channel connects to. RingHash, PickFirst and policies of the program
	// do not use it, because they may need to see all instances.
	Subset Subset
	// Outliers configures when instances rest because they fail far more than the others. Default: the defaults of
	// [Outliers]. With RingHash and with policies of the program, no instance rests unless Outliers is set. With
	// PickFirst, no instance rests.
	Outliers *Outliers
}

// Subset limits the number of instances that one channel connects to (gRFC A68, random subsetting). The subset of a
// channel changes little when instances come and go.
type Subset struct {
	// Above is the number of instances above which a subset is used. Default: 100.
	Above int
	// Size is the number of instances in the subset. At most Above. A negative size disables subsets. Default: 20.
	Size int
}

func (s Subset) orDefault() Subset {
	if s.Above == 0 {
		s.Above = defaultSubsetAbove
	}
	if s.Size == 0 {
		s.Size = min(defaultSubsetSize, s.Above)
	}
	return s
}

// Check returns every mistake, joined.
func (b Balancing) Check() error {
	var errs []error
	policies := known()
	if name := b.policy(); policies[name] == "" && balancer.Get(name) == nil {
		errs = append(
			errs,
			fmt.Errorf("this program does not know the balancing policy %q; use one of %s, "+
				"or import the package that registers it",
				name, strings.Join(slices.Sorted(maps.Keys(policies)), ", ")),
		)
	}
	if b.HashMetadata != "" {
		if b.policy() != RingHash {
			errs = append(
				errs,
				fmt.Errorf("only the balancing policy %s uses a hash key, not %s", RingHash, b.policy()),
			)
		} else if err := checkHashMetadata(b.HashMetadata); err != nil {
			errs = append(errs, err)
		}
	}
	if b.policy() == RingHash && hashKeysAreOff() {
		errs = append(
			errs,
			errors.New(
				"the balancing policy ring_hash needs hash keys, which "+
					"GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY=false disables in gRPC; unset the variable",
			),
		)
	}
	if s := b.Subset.orDefault(); s.Above < 1 || s.Size > s.Above {
		errs = append(errs, fmt.Errorf("subset: want 1 <= size <= above, not a size of %d above %d", s.Size, s.Above))
	}
	if b.Outliers != nil {
		errs = append(errs, b.Outliers.check())
	}
	return errors.Join(errs...)
}

// policy returns the name that this package uses, even if Policy is a gRPC name.
func (b Balancing) policy() string {
	if b.Policy == "" {
		return ZoneWeighted
	}
	for name, grpcName := range known() {
		if b.Policy == grpcName {
			return name
		}
	}
	return b.Policy
}

// String returns the policy and its settings, for display.
func (b Balancing) String() string {
	text := b.policy()
	if b.Zone != "" && text == ZoneWeighted {
		text += ", zone " + b.Zone
	}
	if b.HashMetadata != "" {
		text += ", by metadata " + b.HashMetadata
	}
	if s := b.Subset.orDefault(); b.subsets() {
		text += fmt.Sprintf(", %d instances of more than %d", s.Size, s.Above)
	}
	if o := b.outliers(); o != nil {
		text += ", outliers rest " + o.Rest.String()
	}
	return text
}

// outliers returns the settings of outliers, or nil if no outliers rest.
func (b Balancing) outliers() *Outliers {
	var o Outliers
	switch b.policy() {
	case ZoneWeighted, RoundRobin, LeastRequest, WeightedRoundRobin:
	default:
		o.Off = true
	}
	if b.Outliers != nil {
		o = *b.Outliers
	}
	if o.Off {
		return nil
	}
	o = o.orDefault()
	return &o
}

// subsets reports whether subsets are used.
func (b Balancing) subsets() bool {
	switch b.policy() {
	case ZoneWeighted, RoundRobin, LeastRequest, WeightedRoundRobin:
		return b.Subset.orDefault().Size > 0
	}
	return false
}

// Config returns the entry of loadBalancingConfig for b. Call Check first.
func (b Balancing) Config() map[string]any {
	type object = map[string]any
	name, settings := b.policy(), object{}
	switch name {
	case ZoneWeighted:
		settings["zone"] = b.Zone
	case RingHash:
		settings["requestHashHeader"] = hashKeyHeader
		if b.HashMetadata != "" {
			settings["requestHashHeader"] = b.HashMetadata
		}
	}
	if known := known()[name]; known != "" {
		name = known
	}
	policy := object{"childPolicy": []any{object{name: settings}}}
	if s := b.Subset.orDefault(); b.subsets() {
		policy["subset"] = object{"above": s.Above, "size": s.Size}
	}
	if o := b.outliers(); o != nil {
		policy["outliers"] = object{
			"interval": o.Interval.String(), "minCalls": o.MinCalls, "failurePercent": o.FailurePercent,
			"rest": o.Rest.String(), "maxPercent": o.MaxPercent,
		}
	}
	return object{Name: policy}
}
