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

// The policies that have a name here. A program may register others and use them by their gRPC name.
const (
	// ZoneWeighted is round robin by the weights of the instances, with those of the own zone first. Where instances
	// carry neither, it is RoundRobin.
	ZoneWeighted = "zone_weighted"
	// RoundRobin takes the instances in turn.
	RoundRobin = "round_robin"
	// LeastRequest takes that of two random instances which has fewer calls of this channel in flight (gRFC A48). It
	// suits calls of very different cost.
	LeastRequest = "least_request"
	// WeightedRoundRobin gives each instance calls by what it tells of its load (gRFC A58), which servers of Parley do
	// with framework.WithLoadReports. Until the reports of two instances have come for 10s, it takes them in turn.
	WeightedRoundRobin = "weighted_round_robin"
	// RingHash sends calls of one key to one instance, and moves few keys when instances come or go (gRFC A42, A76). It
	// has no health checks: a server that says it does not serve keeps its keys while it is connected.
	RingHash = "ring_hash"
	// PickFirst uses one instance while it is connected. It suits a virtual address with one server behind.
	PickFirst = "pick_first"
)

// known are the policies by name, as gRPC calls them.
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

// Balancing is how a channel spreads its calls over the instances of a service. The zero value is ZoneWeighted without
// a zone.
type Balancing struct {
	// Policy is one of the names of this package, or the gRPC name of a policy that the program registers. Default:
	// ZoneWeighted.
	Policy string
	// Zone is where this process runs. ZoneWeighted calls instances of the same zone first.
	Zone string
	// HashMetadata is the key of the outgoing metadata by which RingHash keeps calls together. Without it the key is that
	// of [WithHashKey]. A call without a key goes to a random instance.
	HashMetadata string
	// Subset bounds how many instances of a large service one channel connects to. RingHash, PickFirst and
	// policies of the program do not use it: what they do may depend on seeing every instance.
	Subset Subset
	// Outliers makes instances that fail far more than the others rest. Default: the defaults of [Outliers]. RingHash and
	// policies of the program have none, unless it is stated, and PickFirst has none.
	Outliers *Outliers
}

// Subset bounds the instances that one channel connects to (gRFC A68, random subsetting). The subset of a channel stays
// nearly the same when instances come and go.
type Subset struct {
	// Above is the number of instances above which a subset is used. Default 100.
	Above int
	// Size is how many instances the subset has, at most Above. Default 20; a negative one means that there are no
	// subsets.
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
			fmt.Errorf("balancing policy %q is not known here; use one of %s, or import the package that registers it",
				name, strings.Join(slices.Sorted(maps.Keys(policies)), ", ")),
		)
	}
	if b.HashMetadata != "" {
		if b.policy() != RingHash {
			errs = append(
				errs,
				fmt.Errorf("a hash key is of use to the balancing policy %s alone, not to %s", RingHash, b.policy()),
			)
		} else if err := checkHashMetadata(b.HashMetadata); err != nil {
			errs = append(errs, err)
		}
	}
	if b.policy() == RingHash && hashKeysAreOff() {
		errs = append(
			errs,
			errors.New(
				"balancing policy ring_hash needs hash keys, which "+
					"GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY=false switches off in gRPC; unset it",
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

// policy is the name here, also of a policy that was called by its gRPC name.
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

// String names the policy and what is set of it, as it is shown to operators.
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

// outliers returns when outliers rest, nil where none does.
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

// subsets reports whether there are subsets of a large service.
func (b Balancing) subsets() bool {
	switch b.policy() {
	case ZoneWeighted, RoundRobin, LeastRequest, WeightedRoundRobin:
		return b.Subset.orDefault().Size > 0
	}
	return false
}

// Config returns the entry of loadBalancingConfig that balances so. Check b first.
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
