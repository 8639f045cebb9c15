package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// caller is an authenticated client.
type caller struct {
	Client
	keyID string // the key that it authenticated with

	// Of a workload that is not registered, and enrolls:
	key        *jose.PublicKey
	authority  string // that knows it
	evidenceID string // the hash of the authority's token
}

// authenticate authenticates the client (RFC 7523 section 3). It remembers an assertion only after the signature has
// been verified. A client that cannot authenticate learns no reason. Every error is a refusal.
func (is *Issuer) authenticate(ctx context.Context, f form) (caller, error) {
	if f.enrolls() {
		return is.admitEnrolled(ctx, f)
	}
	if f["client_assertion"] == "" || f["client_assertion_type"] != assertionForm {
		return caller{}, badClient(errors.New("there is no client_assertion, or it is of another type"))
	}
	// RFC 7523 does not require a typ, and common libraries send none. Other tokens cannot be confused with an assertion
	// because of their claims: an assertion has this issuer as its only audience, and the client as issuer and subject.
	token, err := jose.Parse(f["client_assertion"], jose.TypeAssertion, "")
	if err != nil {
		return caller{}, badClient(err)
	}
	id, err := token.ClaimedIssuer()
	if err != nil {
		return caller{}, badClient(err)
	}
	if err := checkID(id); err != nil {
		return caller{}, badClient(fmt.Errorf("iss: %w", err))
	}
	if claimed, ok := f["client_id"]; ok && claimed != id {
		return caller{}, badClient(errors.New("client_id is not who made the assertion"))
	}
	client, err := is.registry.Client(ctx, id)
	switch {
	case errors.Is(err, ErrUnknownClient):
		return caller{}, badClient(fmt.Errorf("%w %s", ErrUnknownClient, quote.Text(id)))
	case err != nil:
		return caller{}, unavailable(fmt.Errorf("registry: %w", err))
	case client.ID != id:
		return caller{}, unavailable(fmt.Errorf("the registry has %s for %s", quote.Text(client.ID), quote.Text(id)))
	}
	t, err := verify.CheckToken(ctx, is.assertions(client), token, f["client_assertion"], is.turn)
	if errors.Is(err, turnstile.ErrOverloaded) {
		return caller{}, unavailable(err)
	}
	if err != nil {
		return caller{}, badClient(fmt.Errorf("%s: %w", quote.Text(id), err))
	}
	c := caller{Client: client, keyID: token.KeyID()}
	return c, is.admit(ctx, c, t, time.Now())
}

// admitEnrolled authenticates a workload that is not registered. The authority is asked last, because that costs most.
func (is *Issuer) admitEnrolled(ctx context.Context, f form) (caller, error) {
	w, err := is.identities.enroll(ctx, f)
	if err != nil {
		return caller{}, err
	}
	c := caller{
		Client: Client{ID: w.id.String()}, keyID: w.key.KeyID(), key: w.key, authority: w.authority,
		evidenceID: w.evidenceID,
	}
	if err := is.use(ctx, c, w.proofID, time.Now()); err != nil {
		return c, err
	}
	return c, w.review(ctx)
}

// assertions returns the profile of the assertions of a client. The audience must be this issuer, as a string and not
// as a list, so that an assertion for one issuer is never valid for another (draft-ietf-oauth-rfc7523bis section 4).
func (is *Issuer) assertions(client Client) *verify.Profile {
	p := &verify.Profile{Keys: clientKeys{client}, Audiences: []string{is.name}, Profile: profile.Profile{
		Types: []string{jose.TypeAssertion, profile.Untyped}, AudienceText: true, MaxLifetime: maxAssertionLife,
	}}
	p.Default(principal.ID{})
	return p
}

// clientKeys are the registered keys of a client. Each key belongs only to this client.
type clientKeys struct{ client Client }

func (k clientKeys) Find(
	_ context.Context, kid string, _ jose.Algorithm,
) (owner principal.ID, keys []*jose.PublicKey, err error) {
	if owner, err = principal.ParseID(k.client.ID); err != nil {
		return owner, nil, err
	}
	key, err := k.client.key(kid)
	return owner, []*jose.PublicKey{key}, err
}

func (clientKeys) Holds(string, principal.ID, *jose.PublicKey) bool { return true }

func (clientKeys) Generation() uint64 { return 0 }

// admit checks an assertion whose signature has been verified. It checks the rate of the client before it remembers the
// assertion, so that one client cannot fill the memory.
func (is *Issuer) admit(ctx context.Context, c caller, t *verify.Token, now time.Time) error {
	id, _ := t.Claims.String("jti") // checked before
	if len(id) > maxTokenID {
		return badClient(fmt.Errorf("%s: jti is too long", quote.Text(c.ID)))
	}
	return is.use(ctx, c, strings.Clone(id), now)
}

// use counts a request of a proven caller, and remembers its assertion. Every error is a refusal.
func (is *Issuer) use(ctx context.Context, c caller, id string, now time.Time) error {
	if ok, wait := is.meter.Take(c.ID, now); !ok {
		r := tooMany(quote.Text(c.ID) + " asks too often")
		r.after = wait
		return r
	}
	switch fresh, err := is.replays.Use(c.ID, id, now); {
	case err != nil:
		return unavailable(fmt.Errorf("the memory of assertions of %s: %w", quote.Text(c.ID), err))
	case !fresh:
		return badClient(fmt.Errorf("%s: the assertion was used before", quote.Text(c.ID)))
	default:
		return is.config.state.admit(ctx, c.ID, c.keyID, id, now)
	}
}
