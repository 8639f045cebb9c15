// Package grpcresolver is a gRPC resolver that finds servers in a discovery.Registry.
//
//	conn, err := grpc.NewClient("parley:///payments", append(grpcresolver.DialOptions(registry, "parley"), ...)...)
//
// All channels of a process share the state of the Registry. A second channel to a service knows its servers at once,
// and so does a channel that leaves idle mode while the engine is down.
//
// A channel gets addresses, and attributes for balancing, from an engine. It never gets a server name or an expected
// identity from it.
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

// DialOptions returns options for a channel. The channel resolves targets <scheme>:///<service> with reg, and connects
// to the instances directly, without a proxy from the environment. Scheme must be in lower case.
func DialOptions(reg *discovery.Registry, scheme string) []grpc.DialOption {
	return []grpc.DialOption{grpc.WithResolvers(Builder(reg, scheme)), grpc.WithNoProxy()}
}

// Builder returns a resolver for targets <scheme>:///<service>, for grpc.WithResolvers. Scheme must be in lower case.
//
// The resolver does not wait for the engine. While the instances of a service are unknown, calls wait until the engine
// answers or fails, but at most for the time of discovery.WithFirstWait. Then calls that do not wait for ready fail
// with UNAVAILABLE. Their error names the engine if the balancing policy of the channel passes resolver errors on, as
// the policy of package grpcbalancer does. The policy round_robin does not. A malformed target is an error of the
// channel itself.
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

// subscription is the resolver of one channel. ResolveNow does nothing, because the Registry follows the service all
// the time.
type subscription func()

func (s subscription) ResolveNow(resolver.ResolveNowOptions) {}
func (s subscription) Close()                                { s() }

// channel passes the states of a service to one channel. The Registry calls show one at a time.
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
		// An error asks the resolver to resolve again. That is not needed, because the Registry sends the next state.
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

// report passes on only the text of an error. A gRPC status in it, from the client of an engine, would become the
// status of calls, even of calls that wait for ready.
func (c *channel) report(err error) { c.cc.ReportError(errors.New(err.Error())) }

// same reports whether two lists of the Registry are the same slice; a changed list is a new slice.
func same(a, b []discovery.Instance) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// endpoints puts each instance into the attributes of its endpoint. A change of the attributes of an address would
// close its connection; a change of the attributes of an endpoint does not.
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

// Instance returns the instance of an endpoint, for balancing policies that use zones, weights or metadata. It returns
// false if the endpoint does not come from a Registry.
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
