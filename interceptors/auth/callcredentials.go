package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// credential is what a channel sends in token mode, and what the proof that comes back must fit.
type credential struct {
	token    tokens.Token
	nonce    string
	ath      string
	metadata map[string]string
	until    time.Time      // when the nonce is too old to be sent again
	checked  *checkedProofs // nil where each proof is good for one call only
}

// callCredentials give each wire attempt what its connection needs: nothing in connection mode, a token and a nonce on
// plain HTTP/2 behind a verified name. gRPC asks for them when the connection is chosen and before it sends anything.
type callCredentials struct{ channel *Channel }

// RequireTransportSecurity tells gRPC to send nothing over a connection without TLS.
func (callCredentials) RequireTransportSecurity() bool { return true }

// GetRequestMetadata returns the metadata for one wire attempt. Its errors are rpcerr errors. A call without the
// interceptors of the channel, such as gRPC's own health check, has no token, because its answer would not be verified.
func (cc callCredentials) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	e, ok := ctx.Value(tokenAttemptKey{}).(*tokenAttempt)
	if !ok || e.channel != cc.channel {
		return nil, nil
	}
	e.sent.Store(nil)
	request, _ := credentials.RequestInfoFromContext(ctx)
	switch info := request.AuthInfo.(type) {
	case *conn.Info:
		return nil, nil
	case *nameInfo:
		if info.channel == cc.channel {
			return cc.present(ctx, e)
		}
	}
	return nil, refuse(rpcerr.ServerProofMissing, errors.New("the connection was not made with the credentials of the channel"))
}

// present makes the credential of an attempt.
func (cc callCredentials) present(ctx context.Context, e *tokenAttempt) (map[string]string, error) {
	c := cc.channel
	token, err := c.source.Token(ctx, c.audience)
	if err != nil {
		return nil, refuse(rpcerr.TokenSourceUnavailable, err)
	}
	now := time.Now()
	var sent *credential
	if e.level >= policy.ProofCall {
		sent = newCredential(token, now)
	} else {
		sent = c.inSession(token, now)
	}
	if e.level == policy.ProofWPT {
		if err := c.provePossession(ctx, e, sent, now); err != nil {
			return nil, refuse(rpcerr.TokenSourceUnavailable, err)
		}
	}
	e.send(sent, now)
	return sent.metadata, nil
}

// provePossession adds the proof, for one wire attempt, that this workload holds its key.
func (c *Channel) provePossession(ctx context.Context, e *tokenAttempt, sent *credential, now time.Time) error {
	keys, err := c.identity.usable(ctx)
	if err != nil {
		return err
	}
	if keys.expired(now) {
		return errOwnTokenExpired
	}
	signed, err := wire.Possession{
		Caller: c.identity.self, Server: c.audience, TokenHash: sent.ath, Method: e.method, IdentityHash: wire.HashOfToken(keys.token),
	}.Sign(keys.key, now)
	if err != nil {
		return err
	}
	sent.metadata[wire.PossessionKey] = signed
	if keys.token != "" {
		sent.metadata[wire.IdentityTokenKey] = keys.token
	}
	return nil
}

// inSession returns the credential of the session, of which there is only one at a time: a server has room for a few
// nonces.
func (c *Channel) inSession(token tokens.Token, now time.Time) *credential {
	if s := c.session.Load(); s.fits(token, now) {
		return s
	}
	c.beginning.Lock()
	defer c.beginning.Unlock()
	s := c.session.Load()
	if !s.fits(token, now) {
		s = newCredential(token, now)
		s.checked = newCheckedProofs()
		c.session.Store(s)
	}
	return s
}

func (s *credential) fits(token tokens.Token, now time.Time) bool {
	return s != nil && s.token.Value == token.Value && now.Before(s.until)
}

func newCredential(token tokens.Token, now time.Time) *credential {
	var random [wire.NonceBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	hash := sha256.Sum256([]byte(token.Value))
	s := &credential{
		token: token,
		nonce: base64.RawURLEncoding.EncodeToString(random[:]),
		ath:   base64.RawURLEncoding.EncodeToString(hash[:]),
		until: now.Add(nonceAge),
	}
	s.metadata = map[string]string{wire.AuthorizationKey: wire.BearerScheme + " " + token.Value, wire.NonceKey: s.nonce}
	return s
}

// renew asks for another token in the place of one that the proven server found to be expired, at most once a second.
// It reports whether there is another one.
func (c *Channel) renew(ctx context.Context, sent *credential) bool {
	select {
	case c.renewing <- struct{}{}:
		defer func() { <-c.renewing }()
	case <-ctx.Done():
		return false
	}
	if now, err := c.source.Token(ctx, c.audience); err == nil && now.Value != sent.token.Value {
		return true // another call was quicker
	}
	refresher, ok := c.source.(tokens.Refresher)
	if !ok || !c.renewed.IsZero() && time.Since(c.renewed) < renewInterval {
		return false
	}
	c.renewed = time.Now()
	token, err := refresher.Refresh(ctx, c.audience, sent.token)
	return err == nil && token.Value != sent.token.Value
}
