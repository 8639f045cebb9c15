package grpcbalancer

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/attempt"
)

// channel is the channel as the child policy sees it. While there are no endpoints, the resolver's error takes the
// place of what the child says.
type channel struct {
	balancer.ClientConn

	mu        sync.Mutex
	endpoints int
	err       error

	made    time.Time
	usable  atomic.Int64 // endpoints that take calls
	resting atomic.Int64 // until when the last of the resting endpoints rests, as the time since made; 0 for none
	sticky  atomic.Bool  // the child hashes consistently

	looking  atomic.Bool  // for silent endpoints
	looked   atomic.Int64 // when last, as the time since made
	silences atomic.Int32 // endpoints that are silent

	moved func(*endpoint, connectivity.State) // see policy.moved

	outliers  atomic.Pointer[Outliers] // nil when none rest
	membersMu sync.Mutex
	members   map[*endpoint]struct{}         // those that the child has
	states    atomic.Pointer[EndpointStates] // nil where nobody wants to know
}

// errNoEndpoints stands in until the resolver has said why there is nothing.
var errNoEndpoints = errors.New("the service has no instances")

func (c *channel) expect(endpoints int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints, c.err = endpoints, errNoEndpoints
}

// explain makes calls fail with err and returns true, if there are no endpoints.
func (c *channel) explain(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints > 0 {
		return false
	}
	c.err = err
	c.ClientConn.UpdateState(failing(err))
	return true
}

func (c *channel) UpdateState(s balancer.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints == 0 {
		s = failing(c.err)
	} else if s.Picker != nil {
		s.Picker = &picker{Picker: s.Picker, channel: c}
	}
	c.ClientConn.UpdateState(s)
}

func failing(err error) balancer.State {
	return balancer.State{ConnectivityState: connectivity.TransientFailure, Picker: nowhere{err}}
}

// nowhere is the picker of a service without endpoints. It tells the attempt so, because a call that would wait for a
// connection has none to wait for.
type nowhere struct{ err error }

func (n nowhere) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	attempt.FromContext(info.Ctx).NoEndpoints()
	return balancer.PickResult{}, n.err
}
