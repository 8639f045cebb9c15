package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// verifier checks the tokens of one place in a call, such as the bearer tokens of workloads. Everything that is told about a
// token goes through it, so that there is one order of checks.
type verifier struct {
	own     *voucher            // the trust of the identity; nil where its tokens have no place
	issuers map[string]*voucher // by name
	types   []string            // that any of them accepts
	turn    turnstile.Turnstile
	accept  func(*verified) error // what the place demands of a token besides, and makes of it
	cache   *tokenCache
}

// newVerifier returns the verifier of tokens for self. Its error joins every mistake in the issuers.
func newVerifier(self principal.ID, own *voucher, issuers []Issuer, turn turnstile.Turnstile, cache *tokenCache, accept func(*verified) error) (*verifier, error) {
	v := &verifier{own: own, issuers: make(map[string]*voucher, len(issuers)), turn: turn, cache: cache, accept: accept}
	if own != nil {
		v.types = own.types
	}
	var errs []error
	for _, issuer := range issuers {
		voucher, err := issuer.voucher(self)
		if err == nil && v.issuers[issuer.Name] != nil {
			err = errors.New("auth: Issuer " + quote(issuer.Name) + " is there twice")
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.issuers[issuer.Name] = voucher
		v.types = slices.Concat(v.types, voucher.types)
	}
	return v, errors.Join(errs...)
}

// verified is a token that passed every check, and what it was checked with. It is shared and must not be changed.
type verified struct {
	by         *voucher
	generation atomic.Uint64 // of the keys, when they were last found to hold the token's
	keyID      string
	key        *jose.PublicKey
	owner      principal.ID // of the key; zero for that of an issuer
	claims     *jose.Claims
	issuer     string
	subject    string
	from       time.Time // the later of iat and nbf
	expires    time.Time
	hash       tokenHash
	ath        string    // the hash as a proof states it
	at         time.Time // of the verification

	peer *principal.Peer // in a bearer token of a workload
	user *principal.User // in a token of an end user

	answer atomic.Pointer[issuedProof] // the last one that its bearer got for the session
}

// verify checks a token, completely the first time. What it returns is good now; it stays so until its time ends or its key is
// no longer that of its owner. With the error of a token that was good and has expired, it returns the token, too.
func (v *verifier) verify(ctx context.Context, compact string, now time.Time) (*verified, error) {
	if len(compact) > jose.MaxTokenLength {
		return nil, jose.ReasonSize // before it costs anything
	}
	t, hash := v.cache.get(compact, now)
	if t != nil {
		return t, nil
	}
	if err := v.cache.knownBad(hash, now); err != nil {
		return nil, err
	}
	return v.cache.fly(ctx, hash, func() (*verified, error) { return v.examine(ctx, compact, hash) })
}

// hashToken copies a token of the usual length to the stack only. Inlined, the room for that would be in the frames of those who
// seldom need it.
//
//go:noinline
func hashToken(compact string) tokenHash {
	var room [1024]byte
	return sha256.Sum256(append(room[:0], compact...))
}

// examine checks a token completely, the cheap checks first. Times come last, so that only a token that was good or will be
// learns about them. A panic below is an error.
func (v *verifier) examine(ctx context.Context, compact string, hash tokenHash) (t *verified, err error) {
	defer refusePanic(&err)
	token, err := jose.Parse(compact, v.types...)
	if err != nil {
		return nil, err
	}
	by, err := v.voucherOf(token)
	if err != nil {
		return nil, err
	}
	t = &verified{by: by, keyID: token.KeyID(), hash: hash, ath: base64.RawURLEncoding.EncodeToString(hash[:])}
	// The generation is older than the key, so that a change between the two is noticed.
	t.generation.Store(by.generation())
	if t.owner, t.key, err = by.find(ctx, t.keyID); err != nil {
		return nil, err
	}
	if t.claims, err = checkSignature(ctx, token, t.key, v.turn); err != nil {
		v.cache.keepBad(t, err)
		return nil, err
	}
	if err := by.check(t); err != nil {
		return nil, err
	}
	if err := v.accept(t); err != nil {
		return nil, err
	}
	t.at = time.Now()
	return t, by.timely(t, t.at)
}

// trusted tells whether the token's key still vouches for it. It costs a comparison unless the keys have changed.
func (t *verified) trusted() bool {
	generation := t.by.generation()
	if t.generation.Load() == generation {
		return true
	}
	if !t.by.holds(t) {
		return false
	}
	t.generation.Store(generation)
	return true
}

// voucherOf says who has to vouch for the token: the issuer that it names, which is not proven yet, or the identity's own
// trust.
func (v *verifier) voucherOf(token *jose.Token) (*voucher, error) {
	by := v.own
	if len(v.issuers) > 0 {
		if named := v.issuers[token.ClaimedIssuer()]; named != nil {
			by = named
		}
	}
	switch {
	case by == nil:
		return nil, errors.New("iss is no issuer that is accepted here")
	case !slices.Contains(by.types, token.Type()):
		return nil, errors.New("typ is not one of its issuer's")
	}
	return by, nil
}

// find returns the key called kid, and the ID that it belongs to where it is that of a workload.
func (v *voucher) find(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	if v.trust == nil {
		key, err := v.keys.Await(ctx, kid)
		return principal.ID{}, key, err
	}
	trust, err := v.trust()
	if err != nil {
		return principal.ID{}, nil, err
	}
	// Who brings unknown keys to many calls must not make all of them wait for the next reading.
	if v.waiting.Add(1) > maxKeyWaits {
		v.waiting.Add(-1)
		return trust.lookup(kid)
	}
	defer v.waiting.Add(-1)
	return trust.await(ctx, kid)
}

// generation is that of the keys.
func (v *voucher) generation() uint64 {
	if v.trust == nil {
		return v.keys.Generation()
	}
	if trust, err := v.trust(); err == nil {
		return trust.generation()
	}
	return never
}

// holds tells whether the key of a token still vouches for it.
func (v *voucher) holds(t *verified) bool {
	if v.trust == nil {
		return v.keys.Holds(t.keyID, t.key)
	}
	trust, err := v.trust()
	return err == nil && trust.holds(t.keyID, t.owner)
}

// check compares the claims with what the voucher demands, and keeps what it read.
func (v *voucher) check(t *verified) error {
	if err := v.checkNames(t); err != nil {
		return err
	}
	audience, ok := t.claims.Strings(wire.ClaimAudience)
	if !ok || len(audience) == 0 || len(audience) > v.maxAudiences || !v.means(audience) {
		return errors.New("aud is not this server")
	}
	for _, name := range v.required {
		if text, isText := t.claims.String(name); !t.claims.Has(name) || isText && text == "" {
			return errors.New(name + " is missing")
		}
	}
	var err error
	t.from, t.expires, err = readTimes(t.claims, v.maxLifetime)
	return err
}

// checkNames checks iss and sub: in the identity's own trust both are the one ID that the key belongs to.
func (v *voucher) checkNames(t *verified) error {
	if v.trust != nil {
		t.issuer, t.subject = t.owner.String(), t.owner.String()
		return wire.CheckOwner(t.claims, t.owner)
	}
	t.issuer = v.name
	if !wire.SameClaim(t.claims, wire.ClaimIssuer, v.name) {
		return errors.New("iss is not the issuer that the key belongs to")
	}
	var ok bool
	if t.subject, ok = t.claims.String(wire.ClaimSubject); !ok || t.subject == "" {
		return errors.New("sub is missing")
	}
	if len(v.subjects) == 0 {
		return nil
	}
	id, err := principal.ParseID(t.subject)
	if err != nil || !principal.MatchesAny(v.subjects, id) {
		return errors.New("sub is nobody that the issuer may vouch for")
	}
	return nil
}

func (v *voucher) means(audience []string) bool {
	return slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(v.audiences, a) })
}

// timely tells whether the token is good now.
func (v *voucher) timely(t *verified, now time.Time) error {
	switch {
	case !now.Before(t.expires.Add(v.skew)):
		return wire.ErrExpired
	case t.from.After(now.Add(v.skew)):
		return wire.ErrNotYetValid
	}
	return nil
}

// readTimes returns when a token's life begins, the later of iat and nbf, and when it ends.
func readTimes(claims *jose.Claims, lifetime time.Duration) (from, expires time.Time, err error) {
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
