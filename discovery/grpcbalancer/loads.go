package grpcbalancer

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/orca"
)

// loadsName is the name of the policy weighted_round_robin in service configs. The policy of gRPC with the same
// algorithm would make every program link modules of Envoy.
const loadsName = "parley_weighted_round_robin"

type loadsBuilder struct{}

func (loadsBuilder) Name() string { return loadsName }

func (loadsBuilder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	l := &loads{ClientConn: cc}
	l.Balancer = endpointsharding.NewBalancer(l, opts, balancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return l
}

// loads distributes calls by the load that the instances report. It is the channel of its child and replaces the
// child's pickers.
type loads struct {
	balancer.ClientConn
	balancer.Balancer
}

func (l *loads) UpdateClientConnState(s balancer.ClientConnState) error {
	return l.Balancer.UpdateClientConnState(
		balancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(s.ResolverState)},
	)
}

func (l *loads) UpdateState(s balancer.State) {
	if s.ConnectivityState == connectivity.Ready {
		p := &loadPicker{inTurn: s.Picker}
		for _, child := range endpointsharding.ChildStatesFromPicker(s.Picker) {
			if child.State.ConnectivityState != connectivity.Ready {
				continue
			}
			// the picker of pick_first always returns the same endpoint
			picked, err := child.State.Picker.Pick(balancer.PickInfo{})
			if e, ok := picked.SubConn.(*endpoint); err == nil && ok {
				e.load.wanted.Store(true)
				p.channel = e.channel
				p.members = append(p.members, loadMember{child.State.Picker, e})
			}
		}
		if len(p.members) > 1 {
			s.Picker = p
		}
	}
	l.ClientConn.UpdateState(s)
}

type loadMember struct {
	picker   balancer.Picker
	endpoint *endpoint
}

// loadPicker updates the weights of the instances every second.
type loadPicker struct {
	inTurn  balancer.Picker
	channel *channel
	members []loadMember

	weighed atomic.Int64 // the time of the last update, since channel.made; 0 before the first
	wheel   atomic.Pointer[wheel]
}

// Pick implements balancer.Picker.
func (p *loadPicker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	now := time.Since(p.channel.made)
	if last := p.weighed.Load(); (last == 0 || now-time.Duration(last) >= weighPeriod) &&
		p.weighed.CompareAndSwap(last, max(int64(now), 1)) {
		p.wheel.Store(p.weigh(now))
	}
	if w := p.wheel.Load(); w != nil {
		return w.next().Pick(info)
	}
	return p.inTurn.Pick(info)
}

// weigh returns the wheel, or nil if fewer than two instances have a weight. An instance without a weight gets the
// mean.
func (p *loadPicker) weigh(now time.Duration) *wheel {
	spokes := make([]spoke, len(p.members))
	var sum float64
	known := 0
	for i, m := range p.members {
		spokes[i] = spoke{picker: m.picker, weight: m.endpoint.load.weight(now)}
		if spokes[i].weight > 0 {
			sum += spokes[i].weight
			known++
		}
	}
	if known < 2 {
		return nil
	}
	for i := range spokes {
		if spokes[i].weight == 0 {
			spokes[i].weight = sum / float64(known)
		}
	}
	return newWheel(spokes)
}

// load is the load report of an instance as a weight: calls per second, divided by utilization and share of errors
// (gRFC A58). All times are since channel.made.
type load struct {
	wanted atomic.Bool

	mu     sync.Mutex
	value  float64
	since  time.Duration // when the first report came
	latest time.Duration
	fresh  bool // a report has come since the connection was made
}

func (l *load) note(trailer metadata.MD, now time.Duration) {
	r, ok := orca.FromTrailer(trailer)
	if !ok || r.Rate == 0 || r.Utilization == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fresh || now-l.latest >= weightExpiry {
		l.fresh, l.since = true, now
	}
	l.value, l.latest = r.Rate/(r.Utilization+r.Errors/r.Rate), now
}

// forget resets the load for a new connection.
func (l *load) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh = false
}

// weight returns the weight. It is 0 until reports have come for long enough, and after they have stopped.
func (l *load) weight(now time.Duration) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fresh || now-l.since < weightBlackout || now-l.latest >= weightExpiry {
		return 0
	}
	return l.value
}
