package verify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
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

	Peer *principal.Peer // in a bearer token of a workload
	User *principal.User // in a token of an end user

	// Answer is what the server has signed last for the bearer's session.
	Answer atomic.Value

	profile    *Profile
	generation atomic.Uint64 // of the keys, when they were last found to hold the token's
	key        *jose.PublicKey
	from       time.Time // the later of iat and nbf
	verified   time.Time
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

// Examine checks a token by a profile, completely, the cheap checks first; compact are its bytes. Times come last, so
// that only a token that was good or will be learns about them: with [wire.ErrExpired] it returns the token, too. The
// turnstile, which may be nil, is held around the signature. A panic below is an error.
func Examine(
	ctx context.Context, p *Profile, token *jose.Token, compact string, turn turnstile.Turnstile,
) (t *Token, err error) {
	defer RefusePanic(&err)
	t, err = begin(p, token, HashOf(compact)).examine(ctx, token, turn)
	if err != nil {
		return nil, err
	}
	return t, t.timely(t.verified)
}

func begin(p *Profile, token *jose.Token, hash Hash) *Token {
	t := &Token{profile: p, KeyID: token.KeyID(), Hash: hash, HashText: base64.RawURLEncoding.EncodeToString(hash[:])}
	// The generation is older than the key, so that a change between the two is noticed.
	t.generation.Store(p.Keys.Generation())
	return t
}

// examine checks everything but the times.
func (t *Token) examine(ctx context.Context, token *jose.Token, turn turnstile.Turnstile) (*Token, error) {
	var err error
	if !slices.Contains(t.profile.Types, token.Type()) {
		return t, errors.New("typ is not one of its issuer's")
	}
	if t.Owner, t.key, err = t.profile.Keys.Find(ctx, t.KeyID); err != nil {
		return t, err
	}
	if t.Claims, err = Signature(ctx, token, t.key, turn); err != nil {
		return t, err
	}
	if err := t.profile.check(t); err != nil {
		return t, err
	}
	t.verified = time.Now()
	return t, nil
}

// Validity says whether the key of the token still vouches for it.
func (t *Token) Validity() Validity { return tokenValidity{t} }

type tokenValidity struct{ token *Token }

func (v tokenValidity) Holds(string, principal.ID) bool { return v.token.vouched() }
func (v tokenValidity) Generation() uint64              { return v.token.profile.Keys.Generation() }

// End is when the token is no longer good: its exp, and the skew of its issuer.
func (t *Token) End() time.Time { return t.Expires.Add(t.profile.Skew) }

// holds reports whether a token that was found good still is.
func (t *Token) holds(now time.Time) bool {
	return now.Sub(t.verified) < cachedTokenAge && t.timely(now) == nil && t.trusted()
}

// trusted is vouched, and costs a comparison unless the keys have changed.
func (t *Token) trusted() bool {
	generation := t.profile.Keys.Generation()
	if t.generation.Load() == generation {
		return true
	}
	if !t.vouched() {
		return false
	}
	t.generation.Store(generation)
	return true
}

// vouched reports whether the token's key still vouches for it.
func (t *Token) vouched() bool { return t.profile.Keys.Holds(t.KeyID, t.Owner, t.key) }

// timely says whether the token is good at a time.
func (t *Token) timely(now time.Time) error {
	switch {
	case !now.Before(t.End()):
		return wire.ErrExpired
	case t.from.After(now.Add(t.profile.Skew)):
		return wire.ErrNotYetValid
	}
	return nil
}

// check compares the claims with what the profile demands, and keeps what it read.
func (p *Profile) check(t *Token) error {
	if err := p.checkNames(t); err != nil {
		return err
	}
	if err := p.checkAudience(t.Claims); err != nil {
		return err
	}
	for _, name := range p.Required {
		text, isText := t.Claims.String(name)
		if !t.Claims.Has(name) || isText && text == "" || !isText && name == wire.ClaimTokenID {
			return errors.New(name + " is missing")
		}
	}
	var err error
	t.from, t.Expires, err = readTimes(t.Claims, p.MaxLifetime)
	return err
}

// checkNames checks iss and sub: without an issuer both are the one ID that the key belongs to.
func (p *Profile) checkNames(t *Token) error {
	if p.Name == "" {
		t.Issuer, t.Subject = t.Owner.String(), t.Owner.String()
		return wire.CheckOwner(t.Claims, t.Owner)
	}
	t.Issuer = p.Name
	if !wire.SameClaim(t.Claims, wire.ClaimIssuer, p.Name) {
		return errors.New("iss is not the issuer that the key belongs to")
	}
	var ok bool
	if t.Subject, ok = t.Claims.String(wire.ClaimSubject); !ok || t.Subject == "" {
		return errors.New("sub is missing")
	}
	if len(p.Subjects) == 0 {
		return nil
	}
	id, err := principal.ParseID(t.Subject)
	if err != nil {
		return errors.New("sub is no ID of a workload")
	}
	if !principal.MatchesAny(p.Subjects, id) {
		return errors.New("sub is no workload that the issuer may vouch for")
	}
	return nil
}

func (p *Profile) checkAudience(claims *strictjson.Object) error {
	audience, ok := claims.Strings(wire.ClaimAudience)
	if p.AudienceIsText {
		text, isText := claims.String(wire.ClaimAudience)
		audience, ok = []string{text}, isText
	}
	meant := func(a string) bool { return slices.Contains(p.Audiences, a) }
	if !ok || len(audience) == 0 || len(audience) > p.MaxAudiences || !slices.ContainsFunc(audience, meant) {
		return errors.New("aud is not this server")
	}
	return nil
}

// readTimes returns when a token's life begins, the later of iat and nbf, and when it ends.
func readTimes(claims *strictjson.Object, lifetime time.Duration) (from, expires time.Time, err error) {
	issued, expires, err := wire.ReadLifetime(claims, lifetime)
	if err != nil {
		return from, expires, err
	}
	notBefore, ok, err := claims.NumericDate(wire.ClaimNotBefore)
	if err != nil {
		return from, expires, err
	}
	if ok && notBefore.After(issued) {
		return notBefore, expires, nil
	}
	return issued, expires, nil
}
