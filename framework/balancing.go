package framework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // client-side health checking of the balancing policies
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

// balancing returns how the client distributes its calls. Values of the configuration override
// those of a mesh, and these override those of the code.
func (c *Client) balancing() grpcbalancer.Balancing {
	b, conf := c.spread, c.config()
	if b.Zone == "" {
		b.Zone = c.app.homeZone()
	}
	stated := b.HashMetadata
	b = routed(b, c.table().Destination())
	if conf.Balancing != nil {
		b.Policy, b.HashMetadata = conf.GetBalancing(), stated
	}
	if key := conf.GetHashKey(); key != nil {
		b.HashMetadata = key.GetMetadata()
	}
	if s := conf.GetSubset(); s.GetAbove() > 0 {
		b.Subset.Above = int(s.GetAbove())
	}
	if s := conf.GetSubset(); s != nil && s.Size != nil {
		b.Subset.Size = int(s.GetSize())
		if s.GetSize() == 0 {
			b.Subset.Size = -1
		}
	}
	if o := conf.GetOutliers(); o != nil {
		b.Outliers = &grpcbalancer.Outliers{
			Off:            o.GetOff(),
			Interval:       o.GetInterval().AsDuration(),
			MinCalls:       int(o.GetMinCalls()),
			FailurePercent: int(o.GetFailurePercent()),
			Rest:           o.GetRest().AsDuration(),
			MaxPercent:     int(o.GetMaxPercent()),
		}
	}
	return b
}

// homeZone returns the zone in which this process runs, or "" if it is not configured.
func (a *App) homeZone() string {
	if zone := a.parts.config.GetDiscovery().GetZone(); zone != "" {
		return zone
	}
	return a.zone
}

func (c *Client) checkBalancing() error {
	b := c.balancing()
	err := b.Check()
	if key := c.config().GetHashKey(); key != nil {
		switch {
		case (key.GetMetadata() == "") == (key.GetField() == ""):
			err = errors.Join(err, errors.New("hash_key: set either metadata or field"))
		case key.GetField() != "" && b.Policy != grpcbalancer.RingHash:
			err = errors.Join(err, errors.New("hash_key: only balancing: ring_hash uses it"))
		}
	}
	if err != nil {
		return fmt.Errorf("clients.%s: %w", c.name, err)
	}
	return nil
}

func (c *Client) describeBalancing() string {
	text := c.balancing().String()
	if field := c.config().GetHashKey().GetField(); field != "" {
		text += ", by field " + field
	}
	return text
}

// balancingOptions returns the dial options for balancing. A control plane sends its own balancing through the
// resolver.
func (c *Client) balancingOptions() []grpc.DialOption {
	if c.controlled() {
		return c.app.plane.DialOptions()
	}
	return append(c.keyOptions(), grpc.WithDisableServiceConfig(), grpc.WithDefaultServiceConfig(c.serviceConfig()))
}

// keyOptions returns the interceptor that sets the hash key of each call, if the key is a field of the request.
func (c *Client) keyOptions() []grpc.DialOption {
	path := c.config().GetHashKey().GetField()
	if path == "" {
		return nil
	}
	field := newFieldKey(path)
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(
		func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
			opts ...grpc.CallOption,
		) error {
			if m, ok := req.(proto.Message); ok {
				if key, ok := field.of(m.ProtoReflect()); ok {
					ctx = grpcbalancer.WithHashKey(ctx, key)
				}
			}
			return invoker(ctx, method, req, reply, cc, opts...)
		},
	)}
}

// serviceConfig returns the gRPC service config of the channel: its balancing policy, with round_robin as the fallback,
// client-side health checks, and the method configs of raw dial options.
func (c *Client) serviceConfig() string {
	type object = map[string]any
	config := object{
		"loadBalancingConfig": []object{c.balancing().Config(), {grpcbalancer.RoundRobin: object{}}},
		"healthCheckConfig":   object{"serviceName": ""},
	}
	if methods := c.raw().methods; len(methods) > 0 {
		config["methodConfig"] = methods
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "{}" // it cannot happen: strings, numbers and maps of them always marshal
	}
	return string(text)
}

// fieldKey reads one scalar field of requests. The path of the field is looked up once for each type of request.
type fieldKey struct {
	names []protoreflect.Name
	ways  sync.Map // protoreflect.FullName to []protoreflect.FieldDescriptor, nil if the type does not have the field
}

func newFieldKey(path string) *fieldKey {
	k := &fieldKey{}
	for name := range strings.SplitSeq(path, ".") {
		k.names = append(k.names, protoreflect.Name(name))
	}
	return k
}

// of returns the field as text. It returns false if the request does not have the field or the field is not set.
func (k *fieldKey) of(m protoreflect.Message) (string, bool) {
	way := k.way(m.Descriptor())
	if way == nil {
		return "", false
	}
	last := len(way) - 1
	for _, field := range way[:last] {
		m = m.Get(field).Message()
	}
	if !m.Has(way[last]) {
		return "", false
	}
	return m.Get(way[last]).String(), true
}

func (k *fieldKey) way(request protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if way, ok := k.ways.Load(request.FullName()); ok {
		way, _ := way.([]protoreflect.FieldDescriptor)
		return way
	}
	way := k.find(request)
	k.ways.Store(request.FullName(), way)
	return way
}

func (k *fieldKey) find(in protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	way := make([]protoreflect.FieldDescriptor, 0, len(k.names))
	for i, name := range k.names {
		field := in.Fields().ByName(name)
		if field == nil || field.IsList() || field.IsMap() || (field.Message() == nil) != (i == len(k.names)-1) {
			return nil
		}
		way = append(way, field)
		in = field.Message()
	}
	return way
}
