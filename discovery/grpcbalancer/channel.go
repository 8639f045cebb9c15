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

// channel is the channel that the child policy sees. While there are no endpoints, it replaces the state of the child
// with the error of the resolver.
type channel struct {
	balancer.ClientConn

	mu        sync.Mutex
	endpoints int
	err       error

	made    time.Time
	usable  atomic.Int64 // the number of endpoints that accept calls
	resting atomic.Int64 // when the last resting endpoint stops resting, as the time since made; 0 if none rests
	sticky  atomic.Bool  // the child hashes consistently

	looking  atomic.Bool  // a goroutine looks for silent endpoints
	looked   atomic.Int64 // the time of the last look, since made
	silences atomic.Int32 // the number of silent endpoints

	moved func(*endpoint, connectivity.State) // see policy.moved

	outliers  atomic.Pointer[Outliers] // nil when none rest
	membersMu sync.Mutex
	members   map[*endpoint]struct{}         // the endpoints that the child uses
	states    atomic.Pointer[EndpointStates] // nil if the states are not counted
}

// errNoEndpoints is used until the resolver has returned an error.
var errNoEndpoints = errors.New("the service has no instances")

func (c *channel) expect(endpoints int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints, c.err = endpoints, errNoEndpoints
}

// explain makes calls fail with err if there are no endpoints. It reports whether it did.
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

// nowhere is the picker of a service without endpoints. It reports this to the attempt, so that the call does not wait
// for a connection.
type nowhere struct{ err error }

func (n nowhere) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	attempt.FromContext(info.Ctx).NoEndpoints()
	return balancer.PickResult{}, n.err
}
