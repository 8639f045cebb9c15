// Package grpcbalancer is the gRPC balancing policy "parley". A child policy, such as round_robin, chooses the endpoint
// of each call. This policy adds the following:
//
//   - While a service is unknown or empty, calls fail with the error of the resolver. round_robin would fail them with
//     "no children to pick from", which hides that the engine is down.
//   - A further attempt of a call goes to an endpoint that the call has not tried yet, if the child offers one within
//     five more picks. If all endpoints were tried, it goes to any of them.
//   - An endpoint that failed a call with a pushback (the trailer grpc-retry-pushback-ms) gets no calls for that time,
//     at most 30s, while there are other endpoints.
//   - The attempt knows its endpoint while it is in flight, and whether that is the only endpoint ([attempt.Choice]).
//
// The choice of a child that hashes consistently (ring_hash) is never changed, because its purpose is to keep a key on
// its endpoint. For the child, a rejected choice is a call that ends without an error.
//
// In a service config it contains the child policy. [Config] returns such a configuration, and [Balancing] configures
// the policies of this package:
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

// gRPC looks balancing policies up in a global registry. There is no option of a channel for them.
func init() {
	balancer.Register(builder{})
	balancer.Register(zonesBuilder{})
	balancer.Register(loadsBuilder{})
}

// Config returns the entry of loadBalancingConfig for this policy with the given child policy, which has no
// configuration.
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
	subset   *subset   // nil without subsets
	outliers *Outliers // nil if no outliers rest
}

// ParseConfig reads {"childPolicy": [...]} and uses the first policy that this program knows, as gRPC does. Its error
// makes the whole service config invalid.
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
			return nil, fmt.Errorf("balancing policy %q: childPolicy: want one policy in each entry, not %d", Name, len(entry))
		}
		for name, text := range entry {
			if child := balancer.Get(name); child != nil {
				return more.over(child, text)
			}
		}
	}
	return nil, fmt.Errorf(
		"balancing policy %q: childPolicy: this program does not know these policies; "+
			"use another one, such as round_robin, or import the package that registers them",
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

// policy sits between a channel and the child policy. gRPC calls its methods one at a time.
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

// update passes the endpoints to the child.
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

// moved is called when the state of the connection of an endpoint has changed. Another endpoint replaces a member of a
// subset that cannot be reached: after a while, or at once if the channel has no connection.
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
			_ = p.update() // an error would only make gRPC resolve again, with the same result
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
