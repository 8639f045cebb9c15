// Package grpcbalancer is the gRPC balancing policy "parley". It leaves the choice of a server to the policy that it is
// configured with, and adds what that one lacks:
//
//   - While a service is unknown or empty, calls fail with the resolver's own words. round_robin says "no children to
//     pick from", and nobody learns that the engine is down.
//   - A further attempt of a call goes to an endpoint that none was sent to before, if the child offers one within five
//     more picks. Where all were tried, any will do.
//   - An endpoint that failed a call with a pushback (the trailer grpc-retry-pushback-ms) gets no calls for that time,
//     at most 30s, while others can be had.
//   - The attempt knows where it is sent while it is out, and whether that is the only endpoint ([attempt.Choice]).
//
// A child that hashes consistently (ring_hash) always has its way, since moving a key away is what it avoids. A choice
// that is passed over ends without an error, as far as the child can see.
//
// It stands in a service config in front of the policy that does the work; [Config] writes it, and [Balancing] does
// with all that can be set:
//
//	{"loadBalancingConfig": [{"parley": {"childPolicy": [{"round_robin": {}}]}}]}
package grpcbalancer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/serviceconfig"
)

// Name is the name of the policy in service configs.
const Name = "parley"

// gRPC has no other place than this for policies; the channel's options do not take one.
func init() {
	balancer.Register(builder{})
	balancer.Register(zonesBuilder{})
	balancer.Register(loadsBuilder{})
}

// Config returns the entry of loadBalancingConfig that puts this policy in front of the policy called child, without
// configuration of its own.
func Config(child string) map[string]any {
	return map[string]any{Name: map[string]any{"childPolicy": []any{map[string]any{child: map[string]any{}}}}}
}

type builder struct{}

func (builder) Name() string { return Name }

func (builder) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	p := &policy{
		channel: &channel{ClientConn: cc, made: time.Now(), members: make(map[*endpoint]struct{})},
		opts:    opts,
		chooser: newChooser(),
	}
	p.channel.moved = p.moved
	return p
}

// config is the parsed configuration of the policy.
type config struct {
	serviceconfig.LoadBalancingConfig
	child    balancer.Builder
	config   serviceconfig.LoadBalancingConfig
	subset   *subset   // nil for none
	outliers *Outliers // nil for none
}

// ParseConfig reads {"childPolicy": [...]} and takes the first policy that this program knows, as gRPC does. An error
// that it returns makes the whole service config invalid.
func (builder) ParseConfig(text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	var parsed struct {
		ChildPolicy []map[string]json.RawMessage `json:"childPolicy"`
		Subset      *struct{ Above, Size uint32 }
		Outliers    *struct {
			Interval, Rest                       string
			MinCalls, FailurePercent, MaxPercent int
		}
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("balancing policy %q: %w", Name, err)
	}
	var more config
	if s := parsed.Subset; s != nil {
		if s.Above < 1 || s.Size < 1 || s.Size > s.Above {
			return nil, fmt.Errorf("balancing policy %q: subset: want 1 <= size <= above", Name)
		}
		more.subset = &subset{above: s.Above, size: s.Size}
	}
	if o := parsed.Outliers; o != nil {
		outliers := Outliers{MinCalls: o.MinCalls, FailurePercent: o.FailurePercent, MaxPercent: o.MaxPercent}
		err := errors.Join(
			parseDuration(&outliers.Interval, o.Interval),
			parseDuration(&outliers.Rest, o.Rest),
			outliers.check(),
		)
		if err != nil {
			return nil, fmt.Errorf("balancing policy %q: %w", Name, err)
		}
		outliers = outliers.orDefault()
		more.outliers = &outliers
	}
	for _, entry := range parsed.ChildPolicy {
		if len(entry) != 1 {
			return nil, fmt.Errorf("balancing policy %q: childPolicy: each entry names one policy, not %d", Name, len(entry))
		}
		for name, text := range entry {
			if child := balancer.Get(name); child != nil {
				return more.over(child, text)
			}
		}
	}
	return nil, fmt.Errorf(
		"balancing policy %q: childPolicy: this program knows none of the policies; "+
			"name one such as round_robin, or import the package that registers it",
		Name,
	)
}

func parseDuration(d *time.Duration, text string) (err error) {
	if text != "" {
		*d, err = time.ParseDuration(text)
	}
	return err
}

// over completes the configuration with the child and its part of the text.
func (c config) over(child balancer.Builder, text json.RawMessage) (serviceconfig.LoadBalancingConfig, error) {
	c.child = child
	parser, ok := child.(balancer.ConfigParser)
	if !ok {
		return c, nil
	}
	parsed, err := parser.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("balancing policy %q: childPolicy %q: %w", Name, child.Name(), err)
	}
	c.config = parsed
	return c, nil
}

// policy stands between a channel and the child policy. gRPC calls its methods one at a time.
type policy struct {
	channel *channel
	opts    balancer.BuildOptions
	name    string
	child   balancer.Balancer

	latest  balancer.ClientConnState // from the resolver
	chooser *chooser
}

func (p *policy) UpdateClientConnState(s balancer.ClientConnState) error {
	conf, ok := s.BalancerConfig.(config)
	if !ok {
		conf = config{child: balancer.Get("round_robin")}
	}
	states, _ := s.ResolverState.Attributes.Value(statesKey{}).(*EndpointStates)
	p.channel.states.Store(states)
	states.follow(p.channel)
	p.channel.outliers.Store(conf.outliers)
	p.channel.sticky.Store(sticky(conf.child.Name()))
	if conf.subset != nil {
		states.subsetting(conf.subset, len(s.ResolverState.Endpoints))
	}
	if name := conf.child.Name(); p.child == nil || p.name != name {
		p.Close()
		p.name, p.child = name, conf.child.Build(p.channel, p.opts)
	}
	p.channel.expect(len(s.ResolverState.Endpoints))
	s.BalancerConfig = conf
	p.latest = s
	return p.update()
}

// update gives the child the endpoints that it is to connect to.
func (p *policy) update() error {
	s := p.latest
	conf, ok := s.BalancerConfig.(config)
	if !ok {
		return nil
	}
	if conf.subset != nil {
		s.ResolverState.Endpoints = p.chooser.choose(conf.subset, s.ResolverState.Endpoints)
	}
	s.BalancerConfig = conf.config
	return p.child.UpdateClientConnState(s)
}

// moved is called when the connection of an endpoint has changed its state. A member of a subset that cannot be
// connected to makes room for another endpoint: soon, or at once where the channel has no connection at all.
func (p *policy) moved(e *endpoint, s connectivity.State) {
	conf, ok := p.latest.BalancerConfig.(config)
	if !ok || conf.subset == nil || p.child == nil {
		return
	}
	switch s {
	case connectivity.Ready:
		delete(p.chooser.dead, e.address())
	case connectivity.TransientFailure:
		if !conf.subset.divides(len(p.latest.ResolverState.Endpoints)) ||
			time.Since(e.downSince) < memberPatience && p.channel.usable.Load() > 0 {
			return
		}
		if p.chooser.bury(e.address()) {
			_ = p.update() // an error asks to resolve again, which would change nothing
		}
	}
}

func (p *policy) ResolverError(err error) {
	if !p.channel.explain(err) && p.child != nil {
		p.child.ResolverError(err)
	}
}

func (p *policy) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {} // gRPC calls the listeners instead

func (p *policy) ExitIdle() {
	if p.child != nil {
		p.child.ExitIdle()
	}
}

func (p *policy) Close() {
	if p.child != nil {
		p.child.Close()
		p.channel.forget()
		p.child = nil
	}
}

var _ balancer.Balancer = (*policy)(nil)
