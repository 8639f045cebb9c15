package grpcbalancer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/balancer"

	"github.com/parley-rpc/parley/attempt"
)

// sticky reports whether a policy sends each key to a fixed endpoint.
func sticky(child string) bool { return strings.HasPrefix(child, "ring_hash") }

// picker asks the picker of the child again if the offered endpoint was tried, rests or is silent.
type picker struct {
	balancer.Picker
	channel *channel
}

// Pick implements balancer.Picker.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	sticky := p.channel.sticky.Load()
	if sticky {
		info.Ctx = showKey(info.Ctx)
	}
	picked, err := p.Picker.Pick(info)
	e, ok := picked.SubConn.(*endpoint)
	if err != nil || !ok {
		return picked, err
	}
	this := attempt.FromContext(info.Ctx)
	alone := sticky || p.channel.usable.Load() < 2
	if !alone {
		picked, e = p.better(info, picked, e, this.Tried())
	}
	e.sent()
	c := e.choices.Load()
	if alone {
		this.Choose(&c.alone)
	} else {
		this.Choose(&c.one)
	}
	picked.SubConn = e.SubConn
	if done := picked.Done; done != nil {
		picked.Done = func(info balancer.DoneInfo) {
			e.done(info, this.Hurried())
			done(info)
		}
	} else if this.Hurried() {
		picked.Done = e.settleHurried
	} else {
		picked.Done = e.settle
	}
	return picked, nil
}

// better makes a few more picks and returns the best one: an endpoint that was not tried is better than a tried one,
// and an endpoint that does not rest is better than a resting one. Among equal picks it chooses at random, because with
// two endpoints in turn, the first of an even number of picks would always be the same.
func (p *picker) better(
	info balancer.PickInfo,
	picked balancer.PickResult,
	e *endpoint,
	tried []string,
) (balancer.PickResult, *endpoint) {
	resting := p.channel.resting.Load()
	var now int64
	if resting != 0 {
		now = int64(time.Since(p.channel.made))
	}
	if len(tried) == 0 && resting <= now && p.channel.silences.Load() == 0 {
		return picked, e // the usual case
	}
	against := func(e *endpoint) (n int) {
		if e.silent.Load() {
			n = 4
		}
		if slices.Contains(tried, e.address()) {
			n += 2
		}
		if e.resting.Load() > now {
			n++
		}
		return n
	}
	least, equals := against(e), 1
	repicks := maxRepicks
	if p.channel.silences.Load() > 0 {
		repicks *= 2 // a call that goes to a silent endpoint is lost
	}
	for range repicks {
		if least == 0 {
			break
		}
		next, err := p.Picker.Pick(info)
		other, ok := next.SubConn.(*endpoint)
		if err != nil || !ok {
			break
		}
		n := against(other)
		switch {
		case n < least:
			least, equals = n, 1
		case n == least:
			equals++
		}
		if n == least && rand.IntN(equals) == 0 { //nolint:gosec // it distributes load and needs no cryptographic randomness
			picked, next, e = next, picked, other
		}
		if next.Done != nil { // a policy that counts calls in flight must not count this one forever
			next.Done(balancer.DoneInfo{})
		}
	}
	return picked, e
}

// rests reports whether e is resting, is paused by a pushback, or is silent.
func (c *channel) rests(e *endpoint) bool {
	if e.silent.Load() {
		return true
	}
	until := e.resting.Load()
	return until != 0 && until > int64(time.Since(c.made))
}
