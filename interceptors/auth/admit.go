package auth

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/rpcerr"
)

// caller is who makes an RPC. The zero caller has proven nothing.
type caller struct {
	peer *Peer
	link *link // in connection mode
}

// UnaryServerInterceptor finds out who calls, and lets the call through if the method's policy allows it. It belongs
// directly behind recovery and tracing. Refusals are rpcerr errors.
func (g *Gate) UnaryServerInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, _, err := g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// admit authenticates and authorizes an RPC. The context that it returns holds no credential any more.
func (g *Gate) admit(ctx context.Context, method string) (context.Context, caller, error) {
	ctx, who, err := g.authenticate(ctx)
	if err != nil {
		return ctx, who, g.turnAway(ctx, method, who, err)
	}
	d, err := g.view.Get(method)
	if err != nil {
		// Nobody decided who may call, so nobody may. Who is unknown must not learn which methods there are.
		if d = (&decision{}); who.peer != nil {
			return ctx, who, g.turnAway(ctx, method, who, refuse(rpcerr.PolicyDenied, err))
		}
	}
	if err := d.judge(who.peer); err != nil {
		return ctx, who, g.turnAway(ctx, method, who, err)
	}
	return ctx, who, nil
}

// turnAway reports a refusal. Those that another connection or another moment would mend say that the handler never ran.
func (g *Gate) turnAway(ctx context.Context, method string, who caller, err error) error {
	g.auditCall(ctx, method, who.peer, err)
	switch rpcerr.ReasonOf(err) {
	case rpcerr.ConnectionExpired, rpcerr.KeysUnavailable, rpcerr.AuthOverloaded:
		_ = rpcerr.SetUnprocessed(ctx) // fails only outside of gRPC, where nobody reads trailers
	default:
	}
	return err
}

func (g *Gate) authenticate(ctx context.Context) (context.Context, caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ctx, caller{}, nil
	}
	credential := metadata.ValueFromIncomingContext(ctx, authorizationKey)
	switch info := p.AuthInfo.(type) {
	case *connectionInfo:
		return g.authenticateConnection(ctx, info.link, credential)
	case credentials.TLSInfo:
		if g.config.bearer && len(credential) > 0 {
			return g.authenticateBearer(ctx, credential)
		}
	}
	return withoutCredential(ctx, credential), caller{}, nil
}

// authenticateConnection takes the peer of the connection. A token beside it can only name the same peer.
func (g *Gate) authenticateConnection(ctx context.Context, l *link, credential []string) (context.Context, caller, error) {
	who := caller{peer: &l.peer, link: l}
	if l.identity != g.identity || l.role != roleServer {
		return ctx, caller{}, refuse(rpcerr.CredentialsInvalid, errors.New("the connection was proven to another identity"))
	}
	if !l.open() {
		return ctx, who, refuse(rpcerr.ConnectionExpired, nil)
	}
	if len(credential) == 0 {
		return ctx, who, nil
	}
	named, err := g.readBearer(ctx, credential)
	if err != nil {
		return ctx, who, err
	}
	if named.ID != l.peer.ID {
		return ctx, who, refuse(rpcerr.CredentialsInvalid, errors.New("the token names another workload than the connection"))
	}
	return withoutCredential(ctx, credential), who, nil
}

func (g *Gate) authenticateBearer(ctx context.Context, credential []string) (context.Context, caller, error) {
	p, err := g.readBearer(ctx, credential)
	if err != nil {
		return ctx, caller{}, err
	}
	ctx = withoutCredential(ctx, credential)
	return context.WithValue(ctx, peerKey{}, p), caller{peer: p}, nil
}

// withoutCredential takes the caller's credential out of the metadata, so that no handler can log it or pass it on.
func withoutCredential(ctx context.Context, credential []string) context.Context {
	if len(credential) == 0 {
		return ctx
	}
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok {
		return ctx
	}
	md.Delete(authorizationKey)
	return metadata.NewIncomingContext(ctx, md)
}
