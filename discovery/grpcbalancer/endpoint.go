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

// endpoint is a connection as the child policy sees it, and what is known of the server behind it. gRPC calls its
// listeners one at a time.
type endpoint struct {
	balancer.SubConn
	channel               *channel
	choices               atomic.Pointer[choices]
	resting               atomic.Int64                 // until when, as the time since channel.made
	settle, settleHurried func(info balancer.DoneInfo) // done, bound once

	callCounts callCounts
	ejection   ejection
	trial      atomic.Bool // it is back early, and its next call decides
	load       load

	arrivals  arrivals
	sentAt    atomic.Uint64 // one more than the reads when an attempt was last sent; 0 for never
	silent    atomic.Bool
	connected atomic.Bool
	quiet     quiet
	waiting   attempt.Waiting

	ready     bool
	downSince time.Time // since when there is no connection, if there is none
	checked   bool      // the server's health counts
	healthy   bool
	usable    atomic.Bool
}

// choices are what an attempt is told that is sent to an endpoint.
type choices struct{ alone, one attempt.Choice }

// NewSubConn makes a connection of the child.
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

// Shutdown ends the connection, which the child has no more use for.
func (e *endpoint) Shutdown() {
	e.channel.membersMu.Lock()
	delete(e.channel.members, e)
	e.ejection.cancel()
	e.connected.Store(false)
	e.speaks()
	e.channel.membersMu.Unlock()
	e.SubConn.Shutdown()
}

// forget lets go of the connections of a child that is closed, whether or not it has shut them down.
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

// UpdateAddresses and RemoveSubConn are for children of old times; gRPC itself knows its own connections only.
func (c *channel) UpdateAddresses(sc balancer.SubConn, addresses []resolver.Address) {
	sc.UpdateAddresses(addresses) //nolint:staticcheck // a child may use it as long as gRPC has it
}

func (c *channel) RemoveSubConn(sc balancer.SubConn) { sc.Shutdown() }

func (e *endpoint) UpdateAddresses(addresses []resolver.Address) {
	e.name(addresses)
	e.SubConn.UpdateAddresses(addresses) //nolint:staticcheck // see channel.UpdateAddresses
}

// name takes the first of the addresses, since each endpoint of today's policies has one.
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

// note takes in the state of the connection. A new connection begins without a word on health.
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

// extend raises an end to a later one.
func extend(end *atomic.Int64, to int64) {
	for {
		old := end.Load()
		if old >= to || end.CompareAndSwap(old, to) {
			return
		}
	}
}
