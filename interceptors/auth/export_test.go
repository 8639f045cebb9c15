package auth

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// HoldTurnstile takes every turn at a gate's signature check, until release gives them back.
func HoldTurnstile(g *Gate) (release func()) {
	for range cap(g.turn) {
		g.turn <- struct{}{}
	}
	return func() {
		for range cap(g.turn) {
			<-g.turn
		}
	}
}

// VerifyBearer checks a bearer token as a call of a caller does.
func VerifyBearer(ctx context.Context, g *Gate, token string) (principal.Peer, error) {
	t, err := g.bearer.Verify(ctx, token, time.Now())
	if err != nil {
		return principal.Peer{}, verify.CallerRefusal(err)
	}
	return *t.Peer, nil
}

// VerifyUser checks a user's token as a call does.
func VerifyUser(ctx context.Context, g *Gate, token string) error {
	_, _, err := g.userSet.Load().own.verify(ctx, token, time.Now())
	return err
}

// ReadPeer returns whom the values of the authorization key name. Its error holds the private cause.
func ReadPeer(ctx context.Context, g *Gate, values ...string) (principal.Peer, error) {
	t, err := g.readBearer(ctx, values, time.Now())
	if refusal, ok := errors.AsType[*rpcerr.Error](err); ok {
		return principal.Peer{}, errors.Join(refusal, refusal.Cause)
	}
	if err != nil {
		return principal.Peer{}, err
	}
	return *t.Peer, nil
}

// BearerCheck returns what checks a bearer token of a workload that no cache knows.
func BearerCheck(g *Gate) func(ctx context.Context, compact string) error {
	own := &verify.Profile{Keys: verify.WorkloadKeys(g.identity.currentTrust)}
	own.Default(g.identity.self)
	return func(ctx context.Context, compact string) error {
		token, err := jose.ParseForm(compact, own.Form())
		if err != nil {
			return err
		}
		_, err = verify.CheckToken(ctx, own, token, compact, g.turn)
		return err
	}
}

// CountSignatureChecks makes the gate count how often somebody has a turn at its signature check, until ctx is over.
// Nobody may call the gate yet.
func CountSignatureChecks(ctx context.Context, g *Gate) *atomic.Int64 {
	turn, count := make(turnstile.Turnstile), new(atomic.Int64)
	g.turn = turn
	g.bearer, _ = g.newBearerVerifier(g.acceptBearer)
	go func() {
		for {
			select {
			case <-turn:
				count.Add(1)
				turn <- struct{}{}
			case <-ctx.Done():
				return
			}
		}
	}()
	return count
}

// ReserveProof makes a gate remember a proof for a caller and a nonce, under a token of its own, if there is room.
func ReserveProof(g *Gate, caller principal.ID, nonce string) error {
	key := issuedKey{caller: caller, token: verify.HashOf(caller.String() + nonce), nonce: nonce}
	now := time.Now()
	if _, room := g.proofs.get(key, now); room != nil {
		return room
	}
	g.proofs.put(&issuedProof{key, metadata.MD{}, now})
	return nil
}

// UseProof notes a proof of possession.
func UseProof(g *Gate, issuer principal.ID, id string) (fresh, full bool) {
	fresh, err := g.replays.Use(issuer, id, time.Now())
	return fresh, err != nil
}

// Greet runs the client's side of a handshake on a connection with these bindings.
func Greet(ctx context.Context, c *Channel, conn io.ReadWriter, server, client string) error {
	keys, err := c.identity.usable(ctx)
	if err != nil {
		return err
	}
	_, err = c.greet(ctx, keys, conn, wire.Bindings{Server: server, Client: client})
	return err
}

// ServerHello returns the body of frame 1 on a connection with this binding.
func ServerHello(ctx context.Context, g *Gate, binding string) ([]byte, error) {
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return nil, err
	}
	return keys.hello(ctx, g.identity.self, wire.Proof{Type: jose.TypeServerProof, Binding: binding}, nil)
}

// Listen reads frame 2 and returns the verdict.
func Listen(ctx context.Context, g *Gate, frame io.Reader, serverHello []byte, binding string) (byte, error) {
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return 0, err
	}
	_, err = g.listen(ctx, keys, frame, wire.Proof{Type: jose.TypeClientProof, Binding: binding, Audience: g.identity.self, HelloHash: wire.HashOf(serverHello)})
	if err == nil {
		return byte(wire.VerdictWelcome), nil
	}
	refusal := refusalOf(err)
	if refusal == nil {
		return 0, err
	}
	return byte(wire.VerdictFor(refusal.Reason)), nil
}

// ProofFor makes the server's proof for a call with the token. Without a method it is good for the session.
func ProofFor(ctx context.Context, g *Gate, token, nonce, method string) (metadata.MD, error) {
	t, err := g.bearer.Verify(ctx, token, time.Now())
	if err != nil {
		return nil, err
	}
	return g.proofFor(ctx, t, nonce, method, time.Now())
}

// CheckReply checks the header of the answer to a call with the token.
func CheckReply(ctx context.Context, c *Channel, header metadata.MD, token, nonce, method string, level policy.Proof) error {
	e := &tokenAttempt{Context: ctx, channel: c, method: method, level: level}
	sent := &credential{nonce: nonce, ath: wire.HashOf([]byte(token)), checked: newCheckedProofs()}
	e.send(sent, time.Now())
	return c.checkReply(ctx, header, e, sent)
}

// RememberedProofs is how many proofs the session of a channel remembers.
func RememberedProofs(c *Channel) int {
	if checked := c.session.Load().checked; checked != nil {
		return checked.proofs.Len()
	}
	return 0
}

// CheckPossession checks a proof of possession beside the token.
func CheckPossession(ctx context.Context, g *Gate, token, method, proof string) error {
	t, err := g.bearer.Verify(ctx, token, time.Now())
	if err != nil {
		return err
	}
	return g.checkPossession(ctx, t, &receivedCredentials{possession: []string{proof}}, method)
}

// Admitted is the context of a call that came with credentials, whether or not it is known how gRPC keeps the metadata.
func Admitted(ctx context.Context, known bool) context.Context {
	g := &Gate{}
	g.userSet.Store(new(userSet))
	if known {
		g.metadataKey = metadataKey()
	}
	p := g.received(ctx)
	return g.admitted(ctx, caller{}, &p)
}
