package grpcbalancer

import (
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/rpcerr"
)

// endpoint is a connection of the child policy, and the state of its server. gRPC calls its listeners one at a time.
type endpoint struct {
	balancer.SubConn
	channel               *channel
	choices               atomic.Pointer[choices]
	resting               atomic.Int64                 // when it stops resting, as the time since channel.made
	settle, settleHurried func(info balancer.DoneInfo) // done, bound once

	callCounts callCounts
	ejection   ejection
	trial      atomic.Bool // it returned early, and its next call decides whether it rests again
	load       load

	arrivals  arrivals
	sentAt    atomic.Uint64 // the number of reads when the last attempt was sent, plus 1; 0 if none was sent
	silent    atomic.Bool
	connected atomic.Bool
	quiet     quiet
	waiting   attempt.Waiting

	ready     bool
	downSince time.Time // when the connection was lost, while there is none
	checked   bool      // the child uses the server's health
	healthy   bool
	usable    atomic.Bool
}

// choices are the values of attempt.Choice for attempts that are sent to an endpoint.
type choices struct{ alone, one attempt.Choice }

// NewSubConn makes a connection for the child.
func (c *channel) NewSubConn(addresses []resolver.Address, opts balancer.NewSubConnOptions) (balancer.SubConn, error) {
	e := &endpoint{channel: c, downSince: time.Now()}
	e.settle = func(info balancer.DoneInfo) { e.done(info, false) }
	e.settleHurried = func(info balancer.DoneInfo) { e.done(info, true) }
	e.name(addresses)
	addresses = slices.Clone(addresses)
	for i := range addresses {
		addresses[i].Attributes = addresses[i].Attributes.WithValue(arrivalsKey{}, &e.arrivals)
	}
	listener := opts.StateListener
	opts.StateListener = func(s balancer.SubConnState) {
		e.note(s.ConnectivityState)
		if listener != nil {
			listener(s)
		}
		c.moved(e, s.ConnectivityState)
	}
	var err error
	//nolint:staticcheck // the warning is about several addresses, which come from the child
	e.SubConn, err = c.ClientConn.NewSubConn(addresses, opts)
	if err != nil {
		return nil, err
	}
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	c.members[e] = struct{}{}
	return e, nil
}

// Shutdown ends the connection. The child no longer uses it.
func (e *endpoint) Shutdown() {
	e.channel.membersMu.Lock()
	delete(e.channel.members, e)
	e.ejection.cancel()
	e.connected.Store(false)
	e.speaks()
	e.channel.membersMu.Unlock()
	e.SubConn.Shutdown()
}

// forget removes the connections of a closed child, even those that the child has not shut down.
func (c *channel) forget() {
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	for e := range c.members {
		e.ejection.cancel()
		e.connected.Store(false)
		e.speaks()
	}
	clear(c.members)
}

// UpdateAddresses and RemoveSubConn are for old child policies. They unwrap the connection, because gRPC does not know
// the wrapper.
func (c *channel) UpdateAddresses(sc balancer.SubConn, addresses []resolver.Address) {
	sc.UpdateAddresses(addresses) //nolint:staticcheck // a child may use it as long as gRPC has it
}

func (c *channel) RemoveSubConn(sc balancer.SubConn) { sc.Shutdown() }

func (e *endpoint) UpdateAddresses(addresses []resolver.Address) {
	e.name(addresses)
	e.SubConn.UpdateAddresses(addresses) //nolint:staticcheck // see channel.UpdateAddresses
}

// name uses the first of the addresses, because all current policies make connections with one address.
func (e *endpoint) name(addresses []resolver.Address) {
	var name string
	if len(addresses) > 0 {
		name = addresses[0].Addr
	}
	e.choices.Store(&choices{
		alone: attempt.Choice{Endpoint: name, Alone: true},
		one:   attempt.Choice{Endpoint: name, Waiting: &e.waiting},
	})
}

func (e *endpoint) address() string { return e.choices.Load().one.Endpoint }

func (e *endpoint) RegisterHealthListener(listener func(balancer.SubConnState)) {
	e.checked, e.healthy = true, false
	e.count()
	e.SubConn.RegisterHealthListener(func(s balancer.SubConnState) {
		e.healthy = s.ConnectivityState == connectivity.Ready
		e.count()
		listener(s)
	})
}

// note records the state of the connection. The health of a new connection is unknown.
func (e *endpoint) note(s connectivity.State) {
	if e.ready && s != connectivity.Ready {
		e.downSince = time.Now()
	}
	e.ready = s == connectivity.Ready
	e.connected.Store(e.ready)
	if !e.ready {
		e.channel.membersMu.Lock()
		e.speaks()
		e.channel.membersMu.Unlock()
		e.checked = false
		e.load.forget()
	}
	e.count()
}

func (e *endpoint) count() {
	usable := e.ready && (!e.checked || e.healthy)
	if e.usable.Swap(usable) == usable {
		return
	}
	if usable {
		e.channel.usable.Add(1)
	} else {
		e.channel.usable.Add(-1)
	}
}

// done is called when a call has ended.
func (e *endpoint) done(info balancer.DoneInfo, hurried bool) {
	if conf := e.channel.outliers.Load(); conf != nil {
		e.weigh(info, conf, hurried)
	}
	if e.load.wanted.Load() {
		e.load.note(info.Trailer, time.Since(e.channel.made))
	}
	if info.Err == nil || len(info.Trailer) == 0 {
		return
	}
	if wait := min(rpcerr.PushbackOf(info.Trailer).Wait, maxRest); wait > 0 {
		until := int64(time.Since(e.channel.made) + wait)
		extend(&e.resting, until)
		extend(&e.channel.resting, until)
	}
}

// extend moves an end to a later time.
func extend(end *atomic.Int64, to int64) {
	for {
		old := end.Load()
		if old >= to || end.CompareAndSwap(old, to) {
			return
		}
	}
}
