package grpcbalancer_test

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/serviceconfig"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

func init() {
	balancer.Register(&counting{name: "counting"})
	balancer.Register(&counting{name: "ring_hash_counting"})
	balancer.Register(&pickers{})
	balancer.Register(base.NewBalancerBuilder(leavesName, leaves{}, base.Config{}))
}

func countingPolicy(t *testing.T, name string) *counting {
	t.Helper()
	c, ok := balancer.Get(name).(*counting)
	if !ok {
		t.Fatalf("%s is not registered", name)
	}
	return c
}

// counting is round_robin, and counts how often it is asked.
type counting struct {
	name  string
	picks atomic.Int64
	ended atomic.Int64
}

func (c *counting) Name() string { return c.name }

func (c *counting) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return balancer.Get("round_robin").Build(countingChannel{cc, c}, opts)
}

type countingChannel struct {
	balancer.ClientConn
	counts *counting
}

func (c countingChannel) UpdateState(s balancer.State) {
	s.Picker = countingPicker{s.Picker, c.counts}
	c.ClientConn.UpdateState(s)
}

type countingPicker struct {
	balancer.Picker
	counts *counting
}

func (p countingPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	picked, err := p.Picker.Pick(info)
	if err == nil {
		p.counts.picks.Add(1)
		picked.Done = func(balancer.DoneInfo) { p.counts.ended.Add(1) }
	}
	return picked, err
}

const pickersName = "counting_pickers"

// pickers is the policy of this package, and counts the pickers that it makes.
type pickers struct{ built atomic.Int64 }

func (*pickers) Name() string { return pickersName }

func (*pickers) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	parser, ok := balancer.Get(grpcbalancer.Name).(balancer.ConfigParser)
	if !ok {
		return nil, errors.New("the policy takes no configuration")
	}
	return parser.ParseConfig(text)
}

func (p *pickers) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	return balancer.Get(grpcbalancer.Name).Build(pickersChannel{cc, p}, opts)
}

type pickersChannel struct {
	balancer.ClientConn
	counts *pickers
}

func (c pickersChannel) UpdateState(s balancer.State) {
	c.counts.built.Add(1)
	c.ClientConn.UpdateState(s)
}

const leavesName = "leaves_connections"

// leaves is the simplest policy. When it is closed it leaves its connections to gRPC, which policies are allowed to do.
type leaves struct{}

func (leaves) Build(info base.PickerBuildInfo) balancer.Picker {
	for conn := range info.ReadySCs {
		return leavesPicker{conn}
	}
	return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
}

type leavesPicker struct{ balancer.SubConn }

func (p leavesPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p.SubConn}, nil
}
