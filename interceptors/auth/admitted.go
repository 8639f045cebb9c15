package auth

import (
	"context"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/wire"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/principal"
)

// admitted is the context of a call that came with credentials. It knows who has proven to call, and hides the
// credentials, so that no handler can log them or pass them on. The metadata without them is made only for those who
// ask for metadata: it costs a map, and most handlers never do.
type admitted struct {
	context.Context
	gate *Gate // knows under which key gRPC keeps the metadata received, or that Context hides the credentials already
	peer *principal.Peer
	user *receivedUser
	set  *userSet
	rest atomic.Pointer[metadata.MD] // nil until somebody asks
}

var _ contextkey.Hiding = (*admitted)(nil)

// admitted is the context of a call with what the caller has proven beside the connection, and without what it was
// proven by.
func (g *Gate) admitted(ctx context.Context, c caller, p *receivedCredentials) context.Context {
	if !p.any {
		return ctx
	}
	if g.metadataKey == nil {
		all, _ := metadata.FromIncomingContext(ctx)
		rest := stripped(all)
		p.users.rewrite(rest, all, c.received)
		ctx = metadata.NewIncomingContext(ctx, rest)
	}
	a := &admitted{Context: ctx, gate: g, user: c.received, set: p.users}
	if c.token != nil {
		a.peer = c.peer
	}
	return a
}

// Value answers for what the context knows and hides.
func (a *admitted) Value(key any) any {
	switch key {
	case a.gate.metadataKey:
		return a.metadata()
	case contextkey.Peer{}:
		if a.peer != nil {
			return a.peer
		}
	case contextkey.User{}:
		if a.user != nil {
			return &a.user.user
		}
	case receivedUserKey{}:
		if a.user != nil {
			return a.user
		}
	case contextkey.HidingKey{}:
		if a.gate.metadataKey != nil {
			return a
		}
	}
	return a.Context.Value(key)
}

// metadata is what came with the call beside the credentials. It is shared and must not be changed.
func (a *admitted) metadata() metadata.MD {
	if a.rest.Load() == nil {
		all, _ := a.Context.Value(a.gate.metadataKey).(metadata.MD)
		rest := stripped(all)
		a.set.rewrite(rest, all, a.user)
		a.rest.CompareAndSwap(nil, &rest)
	}
	return *a.rest.Load()
}

// Received returns the values of a name in that metadata, without making it.
func (a *admitted) Received(name string) []string {
	all, _ := a.Context.Value(a.gate.metadataKey).(metadata.MD)
	if values, ok := a.set.shown(name, all[name], a.user); ok {
		return values
	}
	if wire.IsCredential(name) {
		return nil
	}
	return all[name]
}

// metadataKey returns the key under which gRPC keeps the metadata received, or nil where it does not find what is
// there.
func metadataKey() any { return contextkey.NewMetadata().Key() }

func stripped(all metadata.MD) metadata.MD {
	rest := make(metadata.MD, len(all))
	for name, values := range all {
		if !wire.IsCredential(name) {
			rest[name] = values
		}
	}
	return rest
}
