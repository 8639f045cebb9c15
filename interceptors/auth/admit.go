package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// caller is who makes an RPC. The zero caller has proven nothing.
type caller struct {
	peer     *principal.Peer
	session  *conn.Session   // in connection mode
	token    *verify.Token   // in token mode; with an error, one that was good and has expired
	user     *principal.User // nil where the call names none
	received *receivedUser   // the user with the token; nil where user is
}

// UnaryServerInterceptor finds out who calls, and lets the call through if the method's policy allows it. It belongs
// directly behind recovery and tracing. Refusals are rpcerr errors.
func (g *Gate) UnaryServerInterceptor(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, _, err := g.admit(ctx, info.FullMethod, req)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// admit authenticates and authorizes an RPC. The context that it returns holds no credential any more. Request is nil
// for a stream.
func (g *Gate) admit(ctx context.Context, method string, request any) (context.Context, caller, error) {
	p, undecided := g.view.Get(method)
	if undecided != nil {
		p = new(decide.Policy)
	}
	now, has := time.Now(), g.received(ctx)
	who, err := g.authenticate(ctx, &has, now)
	if err == nil {
		err = g.authenticateUser(ctx, &who, &has, now)
	}
	if who.token != nil {
		// A caller that is refused learns by whom, too.
		if wrong := g.prove(ctx, who.token, has.nonce, method, p.Proof(), now); wrong != nil && err == nil {
			err = wrong
		}
	}
	if err == nil && who.token != nil && p.Proof() == policy.ProofWPT {
		err = g.checkPossession(ctx, who.token, &has, method)
	}
	ctx = g.admitted(ctx, who, &has)
	if err == nil {
		err = g.authorize(ctx, p, undecided, policy.Call{Method: method, Peer: who.peer, User: who.user, Request: request})
	}
	if err != nil {
		return ctx, who, g.turnAway(ctx, method, who, err)
	}
	return ctx, who, nil
}

// turnAway reports a refusal before the handler runs. Those that another connection, another token or another moment
// would mend say that it never ran.
func (g *Gate) turnAway(ctx context.Context, method string, who caller, err error) error {
	if hidesHealth(method, who, err) {
		return status.Error(codes.Unimplemented, "the health of this server is not shown to this caller")
	}
	g.auditCall(ctx, policy.Call{Method: method, Peer: who.peer, User: who.user}, err)
	passing := []rpcerr.Reason{
		rpcerr.ConnectionExpired, rpcerr.KeysUnavailable, rpcerr.AuthOverloaded, rpcerr.CredentialsExpired,
	}
	if slices.Contains(passing, rpcerr.ReasonOf(err)) {
		_ = rpcerr.SetUnprocessed(ctx) // fails only outside of gRPC, where nobody reads trailers
	}
	return err
}

// hidesHealth reports whether a refused caller learns that there is no health to watch. A gRPC client that may not
// watch the health of a server takes the server for dead, unless it learns that (grpc/doc/health-checking.md): then it
// makes its calls, and learns of each whether it is refused. There are two such callers. The author of a mesh's rules
// does not think of health, which clients of a sidecar do not ask for. And gRPC's own health check carries no token.
func hidesHealth(method string, who caller, err error) bool {
	if method != "/grpc.health.v1.Health/Watch" {
		return false
	}
	if who.peer == nil {
		return rpcerr.ReasonOf(err) == rpcerr.CredentialsMissing
	}
	d, ok := errors.AsType[decide.Decision](err)
	return ok && d.OfGuard()
}

// authenticate finds out who calls, and whose the authorization is: of a caller that its connection proves, it may be
// the user's. Its error is a refusal.
func (g *Gate) authenticate(ctx context.Context, has *receivedCredentials, now time.Time) (caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return caller{}, nil
	}
	switch info := p.AuthInfo.(type) {
	case *conn.Info:
		if len(has.users.authorization) > 0 {
			has.userBearer, has.authorization = has.authorization, nil
		}
		return g.authenticateConnection(ctx, info.Session, has.authorization, now)
	case *conn.PlainInfo:
		if len(has.authorization) > 0 {
			return g.authenticateBearer(ctx, info, has.authorization, now)
		}
	}
	return caller{}, nil
}

// authenticateConnection takes the peer of the connection. A token beside it can only name the same peer.
func (g *Gate) authenticateConnection(ctx context.Context, s *conn.Session, credential []string, now time.Time) (caller, error) {
	who := caller{peer: &s.Peer, session: s}
	if !s.Of(&g.identity.sessions) || s.Role != wire.RoleServer {
		return caller{}, refuse(rpcerr.CredentialsInvalid, errors.New("the connection was proven to another identity"))
	}
	if !s.Open(now) {
		if s.EndsAsPlanned() {
			return who, refuse(rpcerr.PlannedEnd, nil)
		}
		return who, refuse(rpcerr.ConnectionExpired, nil)
	}
	if len(credential) == 0 {
		return who, nil
	}
	named, err := g.readBearer(ctx, credential, now)
	if err != nil {
		return who, err
	}
	if named.Peer.ID != s.Peer.ID {
		return who, refuse(rpcerr.CredentialsInvalid, errors.New("the token names another workload than the connection"))
	}
	return who, nil
}

// authenticateBearer takes the peer of the token. The connection then no longer counts among those of strangers.
func (g *Gate) authenticateBearer(ctx context.Context, info *conn.PlainInfo, credential []string, now time.Time) (caller, error) {
	t, err := g.readBearer(ctx, credential, now)
	if err != nil {
		return caller{token: t}, err
	}
	info.Known()
	return caller{peer: t.Peer, token: t}, nil
}
