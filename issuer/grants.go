package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// wish is a token that a client requests and may have.
type wish struct {
	typ      string
	subject  string
	user     bool // the subject is a user
	audience string
	scopes   []string
	life     time.Duration
	until    time.Time // the latest end of the token; zero if only its lifetime limits it
	claims   map[string]any
	key      *jose.PublicKey // that an identity token binds
}

// wishOf reads the request of a client and compares it with the client's grants. The error is a refusal.
func (is *Issuer) wishOf(ctx context.Context, c caller, f form) (wish, error) {
	if f["requested_token_type"] == identityTokenURN {
		return is.identityWish(c, f)
	}
	switch f["grant_type"] {
	case clientCredentials:
		return is.ownWish(c, f)
	case tokenExchange:
		return is.userWish(ctx, c, f)
	case "":
		return wish{}, badRequest("there is no grant_type")
	default:
		return wish{}, &refusal{
			status: http.StatusBadRequest, code: "unsupported_grant_type", cause: errors.New("grant_type is another"),
		}
	}
}

// ownWish returns an access token in the client's own name (RFC 6749 section 4.4).
func (is *Issuer) ownWish(c caller, f form) (wish, error) {
	if len(c.Own.Audiences) == 0 {
		return wish{}, notGranted(errors.New("the client is granted nothing in its own name"))
	}
	w := wish{typ: jose.TypeAccess, subject: c.ID, life: is.config.life, claims: c.Claims}
	err := w.restrict(f, c.Own.Audiences, c.Own.Scopes)
	return w, err
}

// userWish returns a token in the name of the user whose token the client sent (RFC 8693).
func (is *Issuer) userWish(ctx context.Context, c caller, f form) (wish, error) {
	w := wish{user: true}
	switch {
	case is.users == nil || len(c.Users.Audiences) == 0:
		return w, notGranted(errors.New("the client is granted nothing in the name of users"))
	case f["actor_token"] != "" || f["actor_token_type"] != "":
		return w, badRequest("actor tokens are not supported; the client itself acts")
	case f["subject_token"] == "":
		return w, badRequest("there is no subject_token")
	case f["subject_token_type"] != accessTokenURN:
		return w, badRequest("the subject_token_type is not supported; a user is known by an access token")
	}
	allowed := slices.Clone(c.Users.Audiences)
	switch isDomain := func(a string) bool { return a == is.config.domain }; f["requested_token_type"] {
	case "", accessTokenURN:
		w.typ, w.life, allowed = jose.TypeAccess, is.config.life, slices.DeleteFunc(allowed, isDomain)
	case transactionTokenURN:
		w.typ, w.life = jose.TypeTransaction, is.config.transactionLife
		allowed = slices.DeleteFunc(allowed, func(a string) bool { return !isDomain(a) })
	default:
		return w, badRequest("the requested_token_type is not supported")
	}
	u, err := is.users.verify(ctx, f["subject_token"], c.ID)
	if err != nil {
		return w, err
	}
	w.subject, w.until = u.subject, u.expires
	scopes := slices.DeleteFunc(slices.Clone(c.Users.Scopes), func(s string) bool { return !slices.Contains(u.scopes, s) })
	if err := w.restrict(f, allowed, scopes); err != nil {
		return w, err
	}
	if w.typ == jose.TypeTransaction && len(w.scopes) == 0 {
		return w, badScope("a transaction token without a scope would be for nothing")
	}
	return w, nil
}

// restrict compares audience and scopes with the allowed ones. Without requested scopes, the token gets all allowed
// scopes.
func (w *wish) restrict(f form, audiences, scopes []string) (err error) {
	if w.audience, err = f.audience(); err != nil {
		return err
	}
	if !slices.Contains(audiences, w.audience) {
		return badTarget("the audience is not granted")
	}
	if w.scopes, err = f.scopes(); err != nil {
		return err
	}
	if w.scopes == nil {
		w.scopes = scopes
	}
	if slices.ContainsFunc(w.scopes, func(s string) bool { return !slices.Contains(scopes, s) }) {
		return badScope("a scope is not granted")
	}
	return nil
}

// made is a token, and its details for the audit log.
type made struct {
	compact string
	id      string // its jti or txn
	life    time.Duration
	expires time.Time
}

// make makes and signs the token, in the format of RFC 9068 or of draft-ietf-oauth-transaction-tokens.
func (is *Issuer) make(c caller, w wish) (made, error) {
	now := time.Now()
	m := made{id: rand.Text(), expires: now.Add(w.life)}
	if !w.until.IsZero() && w.until.Before(m.expires) {
		m.expires = w.until
	}
	m.life = m.expires.Sub(now)
	if w.typ == jose.TypeIdentity {
		return is.makeIdentity(w, m, now)
	}
	var b jose.ClaimsBuilder
	b.String("iss", is.name).String("sub", w.subject).String("aud", w.audience)
	b.NumericDate("iat", now).NumericDate("exp", m.expires)
	if w.typ == jose.TypeTransaction {
		b.String("txn", m.id).String("req_wl", c.ID)
	} else {
		b.String("jti", m.id).String("client_id", c.ID)
	}
	if len(w.scopes) > 0 {
		b.String("scope", strings.Join(w.scopes, " "))
	}
	if err := addClaims(&b, w.claims); err != nil {
		return m, err
	}
	claims, err := b.Claims()
	if err != nil {
		return m, err
	}
	m.compact, err = is.keys.sign(w.typ, claims)
	return m, err
}

// identityWish returns an identity token for the key that the caller has proven.
func (is *Issuer) identityWish(c caller, f form) (wish, error) {
	w := wish{typ: jose.TypeIdentity, subject: c.ID, life: is.config.identityLife, key: c.key}
	switch {
	case is.identities == nil:
		return w, notGranted(errors.New("this issuer issues no identity tokens"))
	case f["audience"] != "" || f["resource"] != "":
		return w, badTarget("an identity token has no audience; leave audience and resource out")
	case f["scope"] != "":
		return w, badScope("an identity token has no scope")
	case c.authority != "":
		return w, nil
	case f["grant_type"] != clientCredentials:
		return w, badRequest("a registered service gets an identity token by the grant client_credentials")
	case !c.Identity:
		return w, notGranted(errors.New("the client is granted no identity token"))
	}
	if err := is.identities.checkClient(c.Client); err != nil {
		return w, notGranted(err)
	}
	var err error
	if w.key, err = c.Client.key(c.keyID); err != nil {
		return w, badClient(err) // the registration has changed since the caller was authenticated
	}
	return w, nil
}

// makeIdentity makes and signs an identity token.
func (is *Issuer) makeIdentity(w wish, m made, now time.Time) (made, error) {
	id, err := principal.ParseID(w.subject)
	if err != nil {
		return m, err
	}
	claims, err := wire.IdentityToken{ID: id, Key: w.key, Expires: m.expires}.Claims(is.name, m.id, now)
	if err != nil {
		return m, err
	}
	m.compact, err = is.keys.sign(jose.TypeIdentity, claims)
	return m, err
}
