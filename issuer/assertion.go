package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
)

// assertionForm is the name that RFC 7523 section 2.2 gives an assertion in a form.
const assertionForm = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// caller is a client that has logged in.
type caller struct {
	Client
	keyID string // by which it did
}

// authenticate proves who asks (RFC 7523 section 3). Until the signature was found to hold nothing is remembered, and who
// cannot prove himself learns nothing but that. Every error is a refusal.
func (is *Issuer) authenticate(ctx context.Context, f form) (caller, error) {
	if f["client_assertion"] == "" || f["client_assertion_type"] != assertionForm {
		return caller{}, badClient(errors.New("there is no client_assertion, or it is of another type"))
	}
	token, err := jose.Parse(f["client_assertion"], jose.TypeAssertion)
	if err != nil {
		return caller{}, badClient(err)
	}
	id := token.ClaimedIssuer()
	if err := checkID(id); err != nil {
		return caller{}, badClient(fmt.Errorf("iss: %w", err))
	}
	if claimed, ok := f["client_id"]; ok && claimed != id {
		return caller{}, badClient(errors.New("client_id is not who made the assertion"))
	}
	client, err := is.registry.Client(ctx, id)
	switch {
	case errors.Is(err, ErrUnknownClient):
		return caller{}, badClient(fmt.Errorf("%w %s", ErrUnknownClient, quote(id)))
	case err != nil:
		return caller{}, unavailable(fmt.Errorf("registry: %w", err))
	case client.ID != id:
		return caller{}, unavailable(fmt.Errorf("the registry has %s for %s", quote(client.ID), quote(id)))
	}
	key, err := client.key(token.KeyID())
	if err != nil {
		return caller{}, badClient(fmt.Errorf("%s: %w", quote(id), err))
	}
	claims, err := checkSignature(ctx, is.turn, token, key)
	if errors.Is(err, turnstile.ErrOverloaded) {
		return caller{}, unavailable(err)
	}
	if err != nil {
		return caller{}, badClient(fmt.Errorf("%s: %w", quote(id), err))
	}
	c := caller{client, token.KeyID()}
	return c, is.admit(c, claims, time.Now())
}

// assertionID names the token with which a client logged in.
type assertionID struct{ client, id string }

// admit checks what a client says that has signed for it. Its rate is looked at before its assertion is remembered, so that
// no client can fill the memory alone.
func (is *Issuer) admit(c caller, claims *jose.Claims, now time.Time) error {
	id, err := checkAssertion(claims, c.ID, is.name, now)
	if err != nil {
		return badClient(fmt.Errorf("%s: %w", quote(c.ID), err))
	}
	if ok, wait := is.meter.take(c.ID, now); !ok {
		r := tooMany(quote(c.ID) + " asks too often")
		r.after = wait
		return r
	}
	switch fresh, full := is.replays.Use(assertionID{c.ID, strings.Clone(id)}, now); {
	case full:
		return unavailable(errors.New("too many assertions are remembered"))
	case !fresh:
		return badClient(fmt.Errorf("%s: the assertion was used before", quote(c.ID)))
	default:
		return nil
	}
}

// checkSignature holds the turnstile, which bounds what a flood of forged tokens costs, around the signature alone.
func checkSignature(ctx context.Context, turn turnstile.Turnstile, token *jose.Token, key *jose.PublicKey) (*jose.Claims, error) {
	if err := turn.Enter(ctx, signatureWait); err != nil {
		return nil, err
	}
	defer turn.Leave()
	return token.Verify(key)
}

// checkAssertion checks the claims of an assertion and returns its jti. The audience is this issuer alone and no list, so that
// an assertion for one issuer is never good for another (draft-ietf-oauth-rfc7523bis section 4).
func checkAssertion(claims *jose.Claims, client, issuer string, now time.Time) (string, error) {
	is := func(name, want string) bool {
		got, ok := claims.String(name)
		return ok && got == want
	}
	id, ok := claims.String("jti")
	switch {
	case !is("sub", client): // iss is, by which the client was found
		return "", errors.New("sub is not the client")
	case !is("aud", issuer):
		return "", errors.New("aud is not this issuer alone")
	case !ok || id == "" || len(id) > maxTokenID:
		return "", errors.New("jti is missing or too long")
	}
	_, err := checkTimes(claims, maxAssertionLife, now)
	return id, err
}
