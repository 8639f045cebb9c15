package contextkey

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Metadata looks up metadata that came with calls, without a copy where that is possible. Make one with [NewMetadata].
type Metadata struct{ key any }

// NewMetadata finds out where gRPC keeps the metadata received.
func NewMetadata() Metadata {
	key := AskedBy(func(ctx context.Context) { metadata.FromIncomingContext(ctx) })
	if key == nil {
		return Metadata{}
	}
	if _, ok := metadata.FromIncomingContext(context.WithValue(context.Background(), key, metadata.MD{})); !ok {
		return Metadata{}
	}
	return Metadata{key}
}

// Key is the key of the metadata in a context, and nil where gRPC does not keep it under one.
func (m Metadata) Key() any { return m.key }

// Received returns the values of a name, in lower case, as [Received] does. They are shared and must not be changed.
func (m Metadata) Received(ctx context.Context, name string) []string {
	if h, ok := ctx.Value(HidingKey{}).(Hiding); ok {
		return h.Received(name)
	}
	if m.key != nil {
		if all, ok := ctx.Value(m.key).(metadata.MD); ok {
			return all[name]
		}
	}
	return metadata.ValueFromIncomingContext(ctx, name)
}
