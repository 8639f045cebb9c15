package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// The metadata of token mode beside the authorization.
const (
	// nonceKey holds what the caller wants to find in the server's proof.
	nonceKey = "parley-nonce"
	// replyProofKey holds the server's proof, in the header of the answer.
	replyProofKey = "parley-proof"
	// replyIdentityKey holds the server's workload identity token beside its proof.
	replyIdentityKey = "parley-identity"
	// possessionKey holds the caller's proof that it holds its key (draft-ietf-wimse-wpt).
	possessionKey = "workload-proof-token"
	// identityTokenKey holds the caller's workload identity token.
	identityTokenKey = "workload-identity-token"
)

// replyProofType is the type of the server's proof.
const replyProofType = "parley-proof+jwt"

// The further claims of a server's proof in token mode.
const (
	claimNonce     = "nonce"
	claimTokenHash = "ath" // SHA-256 of the caller's token (RFC 9449 section 4.2)
	claimMethod    = "mth" // the full name of the method
)

// replyProof is what a server's proof must say, seen from either end.
type replyProof struct {
	caller principal.ID
	nonce  string
	ath    string
	method string // empty where the proof is good for every method

	tokenHash string // of the server's identity token, where there is one
}

// sign makes the proof with the key of self.
func (p replyProof) sign(key *jose.PrivateKey, self principal.ID, now time.Time) (string, error) {
	var b jose.ClaimsBuilder
	b.String(claimIssuer, self.String()).String(claimSubject, self.String()).String(claimAudience, p.caller.String())
	b.String(claimNonce, p.nonce).String(claimTokenHash, p.ath)
	if p.method != "" {
		b.String(claimMethod, p.method)
	}
	if p.tokenHash != "" {
		b.String(claimIdentity, p.tokenHash)
	}
	claims, err := b.NumericDate(claimIssuedAt, now).NumericDate(claimExpires, now.Add(replyProofLifetime)).Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(replyProofType, claims)
}

// check compares claims whose signature held with what they must say, where owner is the one ID that the verifying key
// belongs to, for a credential that was sent at some time: the header of an answer comes when the handler sends it, which may be long
// after the proof was made, and the nonce says that it was not made long before. It reports until when the proof is good.
func (p replyProof) check(claims *jose.Claims, owner principal.ID, perCall bool, sentAt time.Time) (until time.Time, err error) {
	count := 7
	if err := checkOwner(claims, owner); err != nil {
		return until, err
	}
	switch {
	case !sameClaim(claims, claimAudience, p.caller.String()):
		return until, errors.New("aud is not this client")
	case !sameClaim(claims, claimNonce, p.nonce):
		return until, errors.New("nonce is not the one that was sent")
	case !sameClaim(claims, claimTokenHash, p.ath):
		return until, errors.New("ath is not the hash of the token that was sent")
	}
	if claims.Has(claimMethod) {
		count++
		if !sameClaim(claims, claimMethod, p.method) {
			return until, errors.New("mth is not the method that was called")
		}
	} else if perCall {
		return until, errors.New("the proof is not made for this call")
	}
	if p.tokenHash != "" {
		count++
		if !sameClaim(claims, claimIdentity, p.tokenHash) {
			return until, errors.New("cth is not the hash of the identity token")
		}
	}
	if len(claims.Names()) != count {
		return until, errors.New("there are claims that the proof must not have")
	}
	issued, expires, err := readLifetime(claims, maxProofLifetime)
	switch until = expires.Add(clockSkew); {
	case err != nil:
		return until, err
	case !sentAt.Before(until):
		return until, errExpired
	case issued.After(time.Now().Add(clockSkew)):
		return until, errNotYetValid
	}
	return until, nil
}

// prove puts the server's proof into the header of the answer to a caller whose token held. A caller that sent no nonce wants
// none. The error is a refusal: without the proof that it asked for, no caller gets an answer.
func (g *Gate) prove(ctx context.Context, t *verified, sent []string, method string, level policy.Proof, now time.Time) error {
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
	if err != nil {
		return callerRefusal(err)
	}
	if err := grpc.SetHeader(ctx, header); err != nil {
		return refuse(rpcerr.KeysUnavailable, err) // a header was sent already, by an interceptor further out
	}
	return nil
}

// proofFor returns the header with a proof for a method, or without one for the session. It signs one unless it did so before for
// the same session.
func (g *Gate) proofFor(ctx context.Context, t *verified, nonce, method string, now time.Time) (metadata.MD, error) {
	keys, err := g.identity.usable(ctx)
	if err != nil {
		return nil, errors.Join(errKeysUnavailable, err)
	}
	if keys.expired(now) {
		return nil, errors.Join(errKeysUnavailable, errOwnTokenExpired)
	}
	if last := t.answer.Load(); method == "" && last.answers(keys, nonce, now) {
		return last.header, nil
	}
	if !usableNonce(nonce) {
		return nil, errors.New("the nonce is not one of 16 to 32 bytes in base64url")
	}
	want := replyProof{caller: t.peer.ID, nonce: nonce, ath: t.ath, method: method}
	if method != "" {
		return g.signProof(ctx, want, keys, now)
	}
	key := issuedKey{by: keys, caller: want.caller, token: t.hash, nonce: nonce}
	proof, full := g.proofs.get(key, now)
	switch {
	case full:
		return nil, turnstile.ErrOverloaded
	case proof == nil:
		header, err := g.signProof(ctx, want, keys, now)
		if err != nil {
			return nil, err
		}
		proof = g.proofs.put(&issuedProof{key, header, now})
	}
	t.answer.Store(proof)
	return proof.header, nil
}

// signProof returns the header with a new proof.
func (g *Gate) signProof(ctx context.Context, want replyProof, keys *core, now time.Time) (metadata.MD, error) {
	if err := g.turn.Enter(ctx, signatureWait); err != nil {
		return nil, err
	}
	defer g.turn.Leave()
	want.tokenHash = hashOfToken(keys.token)
	signed, err := want.sign(keys.key, g.identity.self, now)
	if err != nil {
		return nil, err
	}
	header := metadata.MD{replyProofKey: []string{signed}}
	if keys.token != "" {
		header[replyIdentityKey] = []string{keys.token}
	}
	return header, nil
}

// usableNonce tells whether a nonce is 16 to 32 bytes in base64url.
func usableNonce(nonce string) bool {
	var raw [maxNonceBytes]byte
	if n := base64.RawURLEncoding.DecodedLen(len(nonce)); n < minNonceBytes || n > maxNonceBytes || strings.ContainsAny(nonce, "\r\n") {
		return false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], []byte(nonce))
	return err == nil && n >= minNonceBytes
}
