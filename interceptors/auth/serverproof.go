package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// prove puts the server's proof into the header of the answer to a caller whose token held. A caller that sent no nonce
// wants none. The error is a refusal: without the proof that it asked for, no caller gets an answer.
func (g *Gate) prove(ctx context.Context, t *verify.Token, sent []string, method string, level policy.Proof, now time.Time) error {
	switch len(sent) {
	case 0:
		return nil
	case 1:
	default:
		return refuse(rpcerr.CredentialsInvalid, fmt.Errorf("%d nonces instead of one", len(sent)))
	}
	if level < policy.ProofCall {
		method = ""
	}
	header, err := g.proofFor(ctx, t, sent[0], method, now)
	if refusal := refusalOf(err); refusal != nil {
		return refusal
	}
	if err != nil {
		return verify.CallerRefusal(err)
	}
	if err := grpc.SetHeader(ctx, header); err != nil {
		return refuse(rpcerr.KeysUnavailable, err) // a header was sent already, by an interceptor further out
	}
	return nil
}

// proofFor returns the header with a proof for a method, or without one for the session. It signs one unless it did so
// before for the same session.
func (g *Gate) proofFor(ctx context.Context, t *verify.Token, nonce, method string, now time.Time) (metadata.MD, error) {
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return nil, errors.Join(verify.ErrKeysUnavailable, err)
	}
	if keys.expired(now) {
		return nil, errors.Join(verify.ErrKeysUnavailable, errOwnTokenExpired)
	}
	if last, _ := t.Answer.Load().(*issuedProof); method == "" && last.answers(keys, nonce, now) {
		return last.header, nil
	}
	if !wire.UsableNonce(nonce) {
		return nil, errors.New("the nonce is not one of 16 to 32 bytes in base64url")
	}
	want := wire.ReplyProof{Caller: t.Peer.ID, Nonce: nonce, TokenHash: t.HashText, Method: method}
	if method != "" {
		return g.signProof(ctx, want, keys, now)
	}
	key := issuedKey{by: keys, caller: want.Caller, token: t.Hash, nonce: nonce}
	proof, room := g.proofs.get(key, now)
	if room != nil {
		if ok, _ := g.proofs.unkept.Take(want.Caller, now); !ok {
			return nil, tooManyNonces(want.Caller, room)
		}
	}
	if proof == nil {
		header, err := g.signProof(ctx, want, keys, now)
		if err != nil {
			return nil, err
		}
		if proof = (&issuedProof{key, header, now}); room == nil {
			proof = g.proofs.put(proof)
		}
	}
	t.Answer.Store(proof)
	return proof.header, nil
}

// tooManyNonces refuses a caller that makes new nonces faster than the server signs proofs that it does not remember.
// No other caller is refused for it.
func tooManyNonces(caller principal.ID, room error) error {
	refusal := refuse(rpcerr.AuthOverloaded, fmt.Errorf("new nonces of %v: %w", caller, room))
	refusal.Message = fmt.Sprintf("more than %d new nonces a second of one caller; use a nonce for up to a minute", unkeptProofs)
	return refusal
}

// signProof returns the header with a new proof.
func (g *Gate) signProof(
	ctx context.Context, want wire.ReplyProof, keys *ownCredentials, now time.Time,
) (metadata.MD, error) {
	if err := g.turn.Enter(ctx, verify.SignatureWait); err != nil {
		return nil, err
	}
	defer g.turn.Leave()
	want.IdentityHash = wire.HashOfToken(keys.token)
	signed, err := want.Sign(keys.key, g.identity.self, now)
	if err != nil {
		return nil, err
	}
	header := metadata.MD{wire.ReplyProofKey: []string{signed}}
	if keys.token != "" {
		header[wire.ReplyIdentityKey] = []string{keys.token}
	}
	return header, nil
}
