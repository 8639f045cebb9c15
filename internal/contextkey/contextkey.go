// Package contextkey learns the keys of contexts that other packages keep to themselves. They offer only functions that
// copy what is under the keys, or search it. It also lets a context hide some of the metadata received at no cost for
// calls that do not ask for the rest.
package contextkey

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// AskedBy returns the last key for which look asks a context, or nil if it asks for none.
func AskedBy(look func(context.Context)) any {
	probe := &probe{Context: context.Background()}
	look(probe)
	return probe.key
}

type probe struct {
	context.Context
	key any
}

func (p *probe) Value(key any) any {
	p.key = key
	return nil
}

// Peer is the key of the proven caller of an RPC, a *principal.Peer.
type Peer struct{}

// User is the key of the end user of an RPC, a *principal.User.
type User struct{}

// HidingKey is the key under which a [Hiding] context has itself.
type HidingKey struct{}

// Hiding is a context that hides some of the metadata that came with a call, and makes the rest when it is asked for
// it.
type Hiding interface {
	// Received returns the values of a name, in lower case, without making the rest. They are shared and must not be
	// changed.
	Received(name string) []string
}

// Received returns the values of a name, in lower case, in the metadata that came with a call. They must not be
// changed. Other metadata that was put into a context of a [Hiding] one is not seen.
func Received(ctx context.Context, name string) []string {
	if h, ok := ctx.Value(HidingKey{}).(Hiding); ok {
		return h.Received(name)
	}
	return metadata.ValueFromIncomingContext(ctx, name)
}
