package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// enrolled is a workload that an authority knows, and that has proven its key.
type enrolled struct {
	id         principal.ID
	key        *jose.PublicKey
	proofID    string // good for one use
	authority  string
	evidenceID string // the hash of the authority's token
	review     func(context.Context) error
}

// enroll verifies the token of an authority, and the proof that the workload has the key that is to be bound. The
// answers give no reason. Every error is a refusal.
func (ids *identities) enroll(ctx context.Context, f form) (enrolled, error) {
	switch {
	case ids == nil || len(ids.authorities) == 0:
		return enrolled{}, notGranted(errors.New("no authority can enroll workloads here"))
	case f["subject_token"] == "":
		return enrolled{}, badRequest("there is no subject_token")
	case f["subject_token_type"] != jwtURN:
		return enrolled{}, badRequest("the subject_token_type is not supported; the token of an authority is a JWT")
	case f["actor_token"] != "" || f["actor_token_type"] != "":
		return enrolled{}, badRequest("actor tokens are not supported")
	case f["client_assertion"] == "" || f["client_assertion_type"] != assertionForm:
		return enrolled{}, badClient(errors.New("there is no client_assertion, or it is of another type"))
	}
	evidence := f["subject_token"]
	b, err := ids.authorityOf(evidence)
	if err != nil {
		return enrolled{}, badSubject(err)
	}
	t, err := ids.checkEvidence(ctx, b, evidence)
	if err != nil {
		return enrolled{}, err
	}
	proof := wire.Enrollment{ID: t.Workload, Issuer: ids.issuer, Evidence: evidence}
	key, proofID, err := ids.checkProof(ctx, proof, f["client_assertion"])
	if err != nil {
		return enrolled{}, err
	}
	return enrolled{
		id: t.Workload, key: key, proofID: proofID, authority: b.profile.Name, evidenceID: t.HashText,
		review: func(ctx context.Context) error { return b.ask(ctx, evidence, t) },
	}, nil
}

// authorityOf returns the authority that a token claims to be of.
func (ids *identities) authorityOf(evidence string) (*bootstrap, error) {
	profiles := make([]*verify.Profile, len(ids.authorities))
	for i, b := range ids.authorities {
		profiles[i] = b.profile
	}
	p, err := verify.IssuerOf(profiles, evidence)
	if err != nil {
		return nil, err
	}
	return ids.authorities[slices.Index(profiles, p)], nil
}

// checkEvidence verifies the token of an authority.
func (ids *identities) checkEvidence(ctx context.Context, b *bootstrap, evidence string) (*verify.Token, error) {
	token, err := jose.ParseForm(evidence, b.profile.Form())
	if err != nil {
		return nil, badSubject(err)
	}
	t, err := verify.CheckToken(ctx, b.profile, token, evidence, ids.turn)
	switch {
	case errors.Is(err, keyset.ErrUnavailable):
		return nil, unavailable(fmt.Errorf("keys of %s: %w", quote.Text(b.profile.Name), err))
	case errors.Is(err, turnstile.ErrOverloaded):
		return nil, unavailable(err)
	case err != nil:
		return nil, badSubject(err)
	case t.Workload.TrustDomain() != ids.domain:
		return nil, badSubject(errors.New("the workload is of another trust domain"))
	}
	return t, nil
}

// checkProof verifies the proof that the workload has the key, and returns the key.
func (ids *identities) checkProof(
	ctx context.Context, want wire.Enrollment, compact string,
) (key *jose.PublicKey, id string, err error) {
	token, err := jose.Parse(compact, jose.TypeEnrollment)
	if err != nil {
		return nil, "", badClient(err)
	}
	payload, err := token.Unproven()
	if err != nil {
		return nil, "", badClient(err)
	}
	if key, err = wire.EnrollmentKey(payload.Claims); err != nil {
		return nil, "", badClient(err)
	}
	claims, err := verify.CheckSignature(ctx, token, key, ids.turn)
	switch {
	case errors.Is(err, turnstile.ErrOverloaded):
		return nil, "", unavailable(err)
	case err != nil:
		return nil, "", badClient(err)
	}
	if id, err = want.Check(claims, time.Now()); err != nil {
		return nil, "", badClient(fmt.Errorf("%s: %w", want.ID, err))
	}
	return key, strings.Clone(id), nil
}

// ask lets the authority itself judge a token.
func (b *bootstrap) ask(ctx context.Context, evidence string, t *verify.Token) error {
	if b.review == nil {
		return nil
	}
	err := b.reviewSafely(ctx, evidence, t)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return badSubject(err)
	default:
		return unavailable(fmt.Errorf("review of %s: %w", quote.Text(b.profile.Name), err))
	}
}

func (b *bootstrap) reviewSafely(ctx context.Context, evidence string, t *verify.Token) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("it panicked: %v", thrown)
		}
	}()
	return b.review(ctx, evidence, t.Audience(), t.Subject)
}
