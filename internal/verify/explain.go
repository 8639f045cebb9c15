package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// Finding is what one check found of a token.
type Finding struct {
	// Check names what was checked.
	Check string
	// Err says why the token did not pass; nil where it did.
	Err error
	// Remedies are what would let it pass, all of them together. None means that no setting does.
	Remedies []Remedy
}

// errUnproven is the finding of a check that had no key to check with.
var errUnproven = errors.New("not checked, because there is no key to check it with")

// ErrNamesWorkload refuses the token of a workload where that of a user belongs.
var ErrNamesWorkload = errors.New("the token is that of a workload and no user's")

// Explain runs every check of a token, in the order in which they are made, also those behind one that failed. It
// returns the issuer that the token names, nil where it is none of these, and a token that it accepts exactly where
// [CheckToken] does. Nothing in the findings can be used to make a token. Waits are those of [Keys]. Further are checks
// of a workload's token beyond those of its issuer.
func Explain(
	ctx context.Context, issuers []*Profile, compact string, further ...func(*Token) Finding,
) (*Profile, []Finding) {
	var e explanation
	token, err := jose.ParseForm(compact, jose.Widest())
	if e.add("form", err); err != nil {
		return nil, e.findings
	}
	payload, err := token.Unproven()
	if e.add("payload", err); err != nil {
		return nil, e.findings
	}
	p, err := issuerOf(issuers, payload)
	if e.add("issuer", err, nameRemedies(payload)...); err != nil {
		return nil, e.findings
	}
	e.form(p, token, payload, len(compact))
	t := newToken(p, token, HashOf(compact))
	t.Claims, t.Issuer = payload.Claims, p.Name
	e.signature(ctx, t, token)
	if payload.CaseVariants() {
		e.add("spelling of names", p.checkCase(t.Claims))
	}
	checks := claimChecks()
	for _, c := range checks[1:] { // the issuer was checked when it was chosen
		err := c.run(p, t)
		e.add(c.name, err, p.remediesOf(c.name, t)...)
	}
	if p.vouchesForUsers() {
		e.add("user", CheckUser(t))
		e.add("user or workload", checkNoWorkload(t, issuers))
	}
	for _, check := range further {
		if !t.Workload.IsZero() {
			e.findings = append(e.findings, check(t))
		}
	}
	if !t.Expires.IsZero() {
		now := time.Now()
		e.add("time", t.checkTimes(now), t.timeRemedies(now)...)
	}
	return p, e.findings
}

// Unproven reads of a token whom it names, by the first of the issuers that it states. It verifies nothing: neither the
// key nor the audience nor the time. The Token is nil if it states none of the issuers. An error refuses the token.
func Unproven(issuers []*Profile, claims *strictjson.Object) (*Token, error) {
	for _, p := range issuers {
		if !p.speaksIn(claims) {
			continue
		}
		t := &Token{profile: p, Claims: claims, Issuer: p.Name}
		if err := p.checkSubject(t); err != nil {
			return nil, err
		}
		if p.vouchesForUsers() {
			return t, errors.Join(CheckUser(t), checkNoWorkload(t, issuers))
		}
		return t, p.checkWorkload(t)
	}
	return nil, nil //nolint:nilnil // as it says above
}

// CheckUser refuses a user who is a workload, so that no workload passes for a user with its own token. Schemes are
// compared without case (RFC 3986 section 3.1), as another reader of the user may do.
func CheckUser(t *Token) error {
	if n := len(principal.Scheme); len(t.Subject) >= n && strings.EqualFold(t.Subject[:n], principal.Scheme) {
		return errors.New("sub is a workload and no user")
	}
	return nil
}

// checkNoWorkload refuses the token of a user that is a workload's for one of the issuers.
func checkNoWorkload(t *Token, issuers []*Profile) error {
	for _, p := range issuers {
		if p.SharesName(t.profile) && p.NamesWorkload(t) {
			return ErrNamesWorkload
		}
	}
	return nil
}

// IssuerOf returns the issuer that a token claims to be of, which nothing proves.
func IssuerOf(issuers []*Profile, compact string) (*Profile, error) {
	token, err := jose.ParseForm(compact, jose.Widest())
	if err != nil {
		return nil, err
	}
	payload, err := token.Unproven()
	if err != nil {
		return nil, err
	}
	return issuerOf(issuers, payload)
}

func issuerOf(issuers []*Profile, payload jose.Payload) (*Profile, error) {
	for _, p := range issuers {
		if p.speaksIn(payload.Claims) {
			return p, nil
		}
	}
	named, ok := payload.Claims.String(wire.ClaimIssuer)
	if !ok {
		return nil, errors.New("iss is missing, or no text")
	}
	return nil, errors.New("iss is " + quote.Text(named) + ", which is no issuer that is accepted here")
}

// explanation gathers findings.
type explanation struct{ findings []Finding }

// add notes a finding. The remedies are for one that failed.
func (e *explanation) add(check string, err error, remedies ...Remedy) {
	if err == nil {
		remedies = nil
	}
	e.findings = append(e.findings, Finding{check, err, remedies})
}

// form checks what the token looks like before anything in it is believed.
func (e *explanation) form(p *Profile, token *jose.Token, payload jose.Payload, length int) {
	form := p.Form()
	only := func(open func(*jose.Form)) jose.Form { // all but one part of the form is as wide as can be
		f := jose.Widest()
		open(&f)
		return f
	}
	e.add("length", token.Within(only(func(f *jose.Form) { f.Length = form.Length })), lengthRemedy(length))
	e.add(
		"header",
		token.Within(only(func(f *jose.Form) { f.OtherHeaders = form.OtherHeaders })),
		Remedy{Field: "OtherHeaders", Value: "true", apply: func(p *Profile) { p.OtherHeaders = true }},
	)
	e.add(
		"key ID",
		token.Within(only(func(f *jose.Form) { f.NoKeyID = form.NoKeyID })),
		Remedy{Field: "NoKeyID", Value: "true", apply: func(p *Profile) { p.NoKeyID = true }},
	)
	e.add("type", token.Within(only(func(f *jose.Form) {
		f.AnyType, f.Types, f.TypeVariants = false, form.Types, form.TypeVariants
	})), p.typeRemedies(token.Type())...)
	e.add(
		"algorithm",
		p.checkAlgorithm(token),
		Remedy{
			Field: "Algorithms",
			Value: "[" + strings.Join(append(slices.Clone(p.Algorithms), string(token.Algorithm())), ", ") + "]",
			apply: func(p *Profile) { p.Algorithms = append(slices.Clone(p.Algorithms), string(token.Algorithm())) },
		},
	)
	e.add(
		"members",
		payload.Within(only(func(f *jose.Form) { f.Members = form.Members })),
		membersRemedy(payload.Members()),
	)
	e.add(
		"names",
		payload.Within(only(func(f *jose.Form) { f.CaseVariants = form.CaseVariants })),
		Remedy{Field: "CaseVariants", Value: "true", apply: func(p *Profile) { p.CaseVariants = true }},
	)
}

// signature checks the key and the signature.
func (e *explanation) signature(ctx context.Context, t *Token, token *jose.Token) {
	owner, keys, err := t.profile.Keys.Find(ctx, t.KeyID, token.Algorithm())
	if e.add("key", err); err != nil {
		e.add("signature", errUnproven)
		return
	}
	t.Owner = owner
	t.key, err = checkAnySignature(ctx, token, keys, nil)
	e.add("signature", err)
}
