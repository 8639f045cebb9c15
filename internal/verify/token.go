package verify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// Token is a token that passed every check, and what it was checked with. It is shared and must not be changed.
type Token struct {
	KeyID    string
	Owner    principal.ID // of the key; zero for that of an issuer
	Claims   *strictjson.Object
	Issuer   string
	Subject  string
	Expires  time.Time
	Hash     Hash
	HashText string // the hash as a proof states it

	Workload principal.ID // that the token names; zero in that of a user

	Peer *principal.Peer // in a bearer token of a workload
	User *principal.User // in a token of an end user

	// Answer is what the server has signed last for the bearer's session.
	Answer atomic.Value

	profile    *Profile
	generation atomic.Uint64 // of the keys, when they were last found to hold the token's
	key        *jose.PublicKey
	from       time.Time // the later of iat and nbf
	since      time.Time // from, and until is Expires, each with the skew of the issuer
	until      time.Time
	early      error // what is wrong before that
	verified   time.Time
	size       int // of what is kept of it in memory, about
}

// measure notes how much memory a token takes that was length bytes long: its payload, the members of that, and its
// scopes, of which a text may have one for each two bytes.
func (t *Token) measure(length int) {
	const word = 16 // a string without its text
	t.size = tokenBytes + 2*length
	switch {
	case t.Peer != nil:
		t.size += word * (len(t.Peer.Scopes) + len(t.Peer.Audiences))
	case t.User != nil:
		t.size += word * len(t.User.Scopes)
	}
}

// Hash is the SHA-256 of the exact bytes of a token.
type Hash = [sha256.Size]byte

// HashOf copies a token of the usual length to the stack only. Inlined, the room for that would be in the frames of
// callers that seldom need it.
//
//go:noinline
func HashOf(compact string) Hash {
	var room [1024]byte
	return sha256.Sum256(append(room[:0], compact...))
}

// CheckToken checks a token by a profile, the cheap checks first; compact are its bytes. Times come last, so that only
// the sender of a token that was good or will be good learns about them: with [wire.ErrExpired], CheckToken returns the
// token, too. It holds the turnstile, which may be nil, around the signature check. A panic within is an error.
func CheckToken(
	ctx context.Context, p *Profile, token *jose.Token, compact string, turn turnstile.Turnstile,
) (t *Token, err error) {
	defer RefusePanic(&err)
	t = newToken(p, token, HashOf(compact))
	if err := t.checkContent(ctx, token, jose.Payload{}, turn); err != nil {
		return nil, err
	}
	return t, t.checkTimes(t.verified)
}

func newToken(p *Profile, token *jose.Token, hash Hash) *Token {
	t := &Token{profile: p, KeyID: token.KeyID(), Hash: hash, HashText: base64.RawURLEncoding.EncodeToString(hash[:])}
	// The generation is older than the key, so that a change between the two is noticed.
	t.generation.Store(p.Keys.Generation())
	return t
}

// checkContent checks everything but the times, and fills the token. Payload is what the token holds where it was read
// before.
func (t *Token) checkContent(
	ctx context.Context,
	token *jose.Token,
	payload jose.Payload,
	turn turnstile.Turnstile,
) error {
	form := t.profile.Form()
	err := errors.Join(token.Within(form), t.profile.checkAlgorithm(token))
	if err != nil {
		return err
	}
	owner, keys, err := t.profile.Keys.Find(ctx, t.KeyID, token.Algorithm())
	if err != nil {
		return err
	}
	t.Owner = owner
	if t.key, err = checkAnySignature(ctx, token, keys, turn); err != nil {
		return err
	}
	t.KeyID = t.key.KeyID()
	if payload.Claims == nil {
		if payload, err = token.Unproven(); err != nil {
			return err
		}
	}
	if err := payload.Within(form); err != nil {
		return err
	}
	t.Claims = payload.Claims
	if payload.CaseVariants() {
		if err := t.profile.checkCase(t.Claims); err != nil {
			return err
		}
	}
	if err := t.profile.checkClaims(t); err != nil {
		return err
	}
	t.verified = time.Now()
	return nil
}

// Profile is what the token was checked by.
func (t *Token) Profile() *Profile { return t.profile }

// Validity says whether the key of the token still vouches for it.
func (t *Token) Validity() Validity { return tokenValidity{t} }

type tokenValidity struct{ token *Token }

func (v tokenValidity) Holds(string, principal.ID) bool { return v.token.keyHolds() }
func (v tokenValidity) Generation() uint64              { return v.token.profile.Keys.Generation() }

// End is when the token is no longer good: its exp, and the skew of its issuer.
func (t *Token) End() time.Time { return t.until }

// holds reports whether a token that was found good still is.
func (t *Token) holds(now time.Time) bool {
	return now.Sub(t.verified) < cachedTokenAge && t.checkTimes(now) == nil && t.trusted()
}

// trusted is keyHolds, and costs a comparison unless the keys have changed.
func (t *Token) trusted() bool {
	generation := t.profile.Keys.Generation()
	if t.generation.Load() == generation {
		return true
	}
	if !t.keyHolds() {
		return false
	}
	t.generation.Store(generation)
	return true
}

// keyHolds reports whether the key that signed the token still belongs to its owner.
func (t *Token) keyHolds() bool { return t.profile.Keys.Holds(t.KeyID, t.Owner, t.key) }

// checkTimes returns an error when the token has expired by now, or is not valid yet.
func (t *Token) checkTimes(now time.Time) error {
	switch {
	case !now.Before(t.until):
		return wire.ErrExpired
	case t.since.After(now):
		return t.early
	}
	return nil
}

// Mapped reports whether a map of the server's own says which workload the token names.
func (t *Token) Mapped() bool { return t.profile.Principals != nil }

// Foreign reports whether the token is that of a workload by the word of an issuer that must not name a workload which
// the server's own trust knows.
func (t *Token) Foreign() bool {
	return t.profile.Name != "" && !t.Workload.IsZero() && !t.profile.Shared
}
