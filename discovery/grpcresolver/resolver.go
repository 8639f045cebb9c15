// Package grpcresolver lets gRPC channels find their servers in a discovery.Registry.
//
//	conn, err := grpc.NewClient("parley:///payments", append(grpcresolver.DialOptions(registry, "parley"), ...)...)
//
// The channels of a process share what the Registry knows: the second channel to a service, and one that leaves idle
// mode while the engine is down, know their servers at once.
//
// The content of an engine reaches a channel as addresses and as attributes for balancing, never as a server name or an
// expected identity.
package grpcresolver

import (
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/experimental/balancer/weight"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
)

// DialOptions make a channel resolve targets <scheme>:///<service> through reg and dial the instances directly, without
// a proxy from the environment. Scheme is in lower case.
func DialOptions(reg *discovery.Registry, scheme string) []grpc.DialOption {
	return []grpc.DialOption{grpc.WithResolvers(Builder(reg, scheme)), grpc.WithNoProxy()}
}

// Builder returns a resolver of targets <scheme>:///<service>, for grpc.WithResolvers. Scheme is in lower case.
//
// Resolvers never wait for the engine. While nothing is known of a service, calls wait until the engine has answered or
// failed, or has been silent for the time of discovery.WithFirstWait, and then fail with UNAVAILABLE, unless they wait
// for ready. Their errors name the engine when the channel's balancing policy passes resolver errors on: the policy of
// package grpcbalancer does, round_robin does not. Only a malformed target is an error of the channel itself.
func Builder(reg *discovery.Registry, scheme string) resolver.Builder {
	return builder{reg, scheme}
}

type builder struct {
	registry *discovery.Registry
	scheme   string
}

func (b builder) Scheme() string { return b.scheme }

func (b builder) Build(
	target resolver.Target,
	cc resolver.ClientConn,
	_ resolver.BuildOptions,
) (resolver.Resolver, error) {
	service := target.Endpoint()
	err := driver.CheckService(service)
	if err == nil && (target.URL.Host != "" || target.URL.RawQuery != "" || target.URL.Fragment != "") {
		err = errors.New("it has more parts than a service name, so leave them out")
	}
	if err != nil {
		return nil, fmt.Errorf(
			"target %q: want %s:///<service>, such as %s:///payments: %w",
			target.URL.String(),
			b.scheme,
			b.scheme,
			err,
		)
	}
	channel := &channel{cc: cc, registry: b.registry, service: service}
	return subscription(b.registry.Subscribe(service, channel.show)), nil
}

// subscription is the resolver of one channel. ResolveNow has nothing to do: the Registry follows the service anyway.
type subscription func()

func (s subscription) ResolveNow(resolver.ResolveNowOptions) {}
func (s subscription) Close()                                { s() }

// channel shows the states of a service to one channel. The Registry calls show one at a time.
type channel struct {
	cc        resolver.ClientConn
	registry  *discovery.Registry
	service   string
	resolved  bool
	instances []discovery.Instance
}

func (c *channel) show(s discovery.State) {
	if !s.Known {
		c.report(s.Err)
		return
	}
	if !c.resolved || !same(c.instances, s.Instances) {
		c.resolved, c.instances = true, s.Instances
		// An error asks to resolve again, which would change nothing: the next state comes by itself.
		_ = c.cc.UpdateState(resolver.State{Endpoints: endpoints(s.Instances)})
	}
	if len(s.Instances) > 0 {
		return // an error would hide why the known instances cannot be reached
	}
	if s.Err == nil {
		s.Err = &discovery.Error{Driver: c.registry.String(), Op: "find", Service: c.service, Err: discovery.ErrNoInstances}
	}
	c.report(s.Err)
}

// report passes on only the text of an error. A gRPC status of an engine's client inside it would become the status of
// calls, even of calls that wait for ready.
func (c *channel) report(err error) { c.cc.ReportError(errors.New(err.Error())) }

// same reports whether two lists of the Registry are the same slice; a changed list is a new slice.
func same(a, b []discovery.Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// endpoints puts the instance into the attributes of the endpoint, where a change costs nothing. In the attributes of
// the address a change would cost a connection.
func endpoints(instances []discovery.Instance) []resolver.Endpoint {
	list := make([]resolver.Endpoint, len(instances))
	for i := range instances {
		in := &instances[i]
		addresses := make([]resolver.Address, len(in.Addresses))
		for j, addr := range in.Addresses {
			addresses[j].Addr = addr
		}
		list[i] = weight.Set(
			resolver.Endpoint{Addresses: addresses, Attributes: attributes.New(attributeKey{}, attribute{in})},
			weight.EndpointInfo{Weight: max(in.Weight, 1)})
	}
	return list
}

// Instance returns the instance that an endpoint is, for balancing policies that look at zones, weights or metadata. It
// returns false for an endpoint that does not come from a Registry.
func Instance(endpoint resolver.Endpoint) (discovery.Instance, bool) {
	a, ok := endpoint.Attributes.Value(attributeKey{}).(attribute)
	if !ok {
		return discovery.Instance{}, false
	}
	return *a.instance, true
}

type attributeKey struct{}

// attribute is an instance that gRPC can compare.
type attribute struct{ instance *discovery.Instance }

func (a attribute) Equal(other any) bool {
	b, ok := other.(attribute)
	return ok && a.instance.Equal(*b.instance)
}

// String keeps metadata out of gRPC's logs.
func (a attribute) String() string { return a.instance.ID }
