package grpcbalancer

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/serviceconfig"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
)

// zonesName is the name of the policy zone_weighted in service configs.
const zonesName = "parley_zone_weighted"

type zonesBuilder struct{}

func (zonesBuilder) Name() string { return zonesName }

func (zonesBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	z := &zones{ClientConn: cc}
	z.Balancer = endpointsharding.NewBalancer(z, opts, balancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return z
}

// zonesConfig can be written and read again, which random subsetting does.
type zonesConfig struct {
	serviceconfig.LoadBalancingConfig `json:"-"`

	Zone string `json:"zone"`
}

// ParseConfig reads {"zone": "..."}.
func (zonesBuilder) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var parsed zonesConfig
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("balancing policy %q: %w", zonesName, err)
	}
	return parsed, nil
}

// zones distributes calls by the weights of the instances and prefers instances in its zone. It is the channel of its
// child and replaces the child's pickers.
type zones struct {
	balancer.ClientConn
	balancer.Balancer

	mu   sync.Mutex
	zone string
}

func (z *zones) UpdateClientConnState(s balancer.ClientConnState) error {
	conf, _ := s.BalancerConfig.(zonesConfig)
	z.mu.Lock()
	z.zone = conf.Zone
	z.mu.Unlock()
	return z.Balancer.UpdateClientConnState(
		balancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(s.ResolverState)},
	)
}

func (z *zones) UpdateState(s balancer.State) {
	if s.ConnectivityState == connectivity.Ready {
		z.mu.Lock()
		zone := z.zone
		z.mu.Unlock()
		if near, far := layOut(endpointsharding.ChildStatesFromPicker(s.Picker), zone); near != nil {
			s.Picker = &zonePicker{near: near, far: far}
		}
	}
	z.ClientConn.UpdateState(s)
}

// layOut returns the wheel for usual picks, and the wheel for picks outside of the zone, which is nil if there are no
// instances outside. It returns nil for both if all instances have the same zone and weight, so that they can be used
// in turn.
func layOut(children []endpointsharding.ChildState, zone string) (near, far *wheel) {
	var local, remote []spoke
	var listed, ready, first uint64
	uneven := false
	for _, child := range children {
		in, _ := grpcresolver.Instance(child.Endpoint)
		weight := max(uint64(in.Weight), 1)
		home := zone == "" || in.Zone == zone
		if home {
			listed += weight
		}
		if child.State.ConnectivityState != connectivity.Ready {
			continue
		}
		if first == 0 {
			first = weight
		}
		uneven = uneven || weight != first
		s := spoke{picker: child.State.Picker, weight: float64(weight)}
		if home {
			ready += weight
			local = append(local, s)
		} else {
			remote = append(remote, s)
		}
	}
	switch {
	case len(local) == 0 || len(remote) == 0:
		if !uneven {
			return nil, nil
		}
		return newWheel(slices.Concat(local, remote)), nil
	}
	// The zone gets up to 140% of its share of the healthy weight. The other calls go to other zones.
	share := min(1, float64(ready)/float64(listed)*overprovisioning/100)
	far = newWheel(remote)
	if share == 1 {
		return newWheel(local), far
	}
	return newWheel(slices.Concat(scaled(local, share), scaled(remote, 1-share))), far
}

// zonePicker leaves the zone if an attempt would go to an instance that the call has tried, or to a paused instance.
type zonePicker struct{ near, far *wheel }

// Pick implements balancer.Picker.
func (p *zonePicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	picked, err := p.near.next().Pick(info)
	e, ok := picked.SubConn.(*endpoint)
	if err != nil || !ok || p.far == nil {
		return picked, err
	}
	if e.channel.rests(e) || slices.Contains(attempt.FromContext(info.Ctx).Tried(), e.address()) {
		return p.far.next().Pick(info)
	}
	return picked, nil
}
