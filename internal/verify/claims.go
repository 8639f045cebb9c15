package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// claimCheck is one check of the claims of a token whose signature holds. It keeps in the token what it read.
type claimCheck struct {
	name string
	run  func(*Profile, *Token) error
}

// claimChecks are the checks in their order.
func claimChecks() [8]claimCheck {
	return [...]claimCheck{
		{"issuer", (*Profile).checkIssuer},
		{"subject", (*Profile).checkSubject},
		{"workload", (*Profile).checkWorkload},
		{"audience", (*Profile).checkAudience},
		{"required claims", (*Profile).checkRequired},
		{"refused claims", (*Profile).checkRefused},
		{"lifetime", (*Profile).readLifetime},
		{"beginning", (*Profile).readBeginning},
	}
}

// checkClaims compares the claims with the profile, and keeps what it reads in the token.
func (p *Profile) checkClaims(t *Token) error {
	for _, c := range claimChecks() {
		if err := c.run(p, t); err != nil {
			return err
		}
	}
	return nil
}

// checkCase refuses a second spelling of the claims that decide: another reader of the same token must not find another
// user in it.
func (p *Profile) checkCase(claims *strictjson.Object) error {
	deciding := append(slices.Clone(p.RequiredClaims), p.ScopeClaims...)
	deciding = append(
		deciding,
		p.AudienceClaim,
		p.SubjectClaim,
		wire.ClaimIssuer,
		wire.ClaimSubject,
		wire.ClaimAudience,
		wire.ClaimExpires,
		wire.ClaimIssuedAt,
		wire.ClaimNotBefore,
		wire.ClaimTokenID,
	)
	if p.Principals != nil {
		deciding = append(deciding, p.Principals.ClaimNames()...)
	}
	for name := range p.RequiredValues {
		deciding = append(deciding, name)
	}
	for _, stated := range claims.Names() {
		for _, name := range deciding {
			if stated != name && strings.EqualFold(stated, name) {
				return fmt.Errorf("%s stands there in another case", name)
			}
		}
	}
	return nil
}

// checkIssuer checks iss, and without an issuer also sub: both are the one ID that the key belongs to.
func (p *Profile) checkIssuer(t *Token) error {
	if p.Name == "" {
		t.Issuer, t.Subject = t.Owner.String(), t.Owner.String()
		return wire.CheckOwner(t.Claims, t.Owner)
	}
	t.Issuer = p.Name
	if !p.speaksIn(t.Claims) {
		return errors.New("iss is not the issuer that the key belongs to")
	}
	return nil
}

func (p *Profile) checkSubject(t *Token) error {
	if p.Name == "" {
		return nil
	}
	var ok bool
	if t.Subject, ok = t.Claims.String(p.SubjectClaim); !ok || t.Subject == "" {
		return errors.New(p.SubjectClaim + " is missing")
	}
	return nil
}

// checkWorkload finds the workload that the token names, where those of its issuer name any.
func (p *Profile) checkWorkload(t *Token) (err error) {
	switch {
	case p.Name == "":
		t.Workload = t.Owner
		return nil
	case p.Principals != nil:
		if t.Workload, err = p.Principals.ID(principal.ClaimsOf(t.Claims)); err != nil {
			return fmt.Errorf("principals: %w", err)
		}
		if len(p.Subjects) > 0 && !principal.MatchesAny(p.Subjects, t.Workload) {
			return errors.New("the claims name no workload that the issuer may vouch for")
		}
		return nil
	case len(p.Subjects) == 0:
		return nil // its tokens are those of users
	}
	if t.Workload, err = principal.ParseID(t.Subject); err != nil {
		return errors.New(p.SubjectClaim + " is no ID of a workload")
	}
	if !principal.MatchesAny(p.Subjects, t.Workload) {
		return errors.New(p.SubjectClaim + " is no workload that the issuer may vouch for")
	}
	return nil
}

// NamesWorkload reports whether a token that passed for a user's is that of a workload by what the issuer's workloads
// have, listed or not. It serves where the issuer vouches for users as well.
func (p *Profile) NamesWorkload(t *Token) bool {
	if p.Principals == nil {
		return false
	}
	users := t.profile.Profile
	if slices.Contains(p.RefusedClaims, users.SubjectClaim) {
		return false // each user has it, and no workload
	}
	claims := principal.ClaimsOf(t.Claims)
	if p.Principals.TellsUsers() {
		return p.Principals.CheckSame(claims) == nil
	}
	if telling := TellingValues(p.Profile, users); len(telling) > 0 {
		return !slices.ContainsFunc(telling, func(name string) bool {
			return !wire.SameClaim(t.Claims, name, p.RequiredValues[name])
		})
	}
	_, err := p.Principals.ID(claims)
	return err == nil
}

// TellingValues are the names of the values that tell the tokens of workloads from those of users of the same issuer:
// workloads must have them, and users need not. Both profiles have their defaults. The issuer and the audience are the
// same in tokens of either kind.
func TellingValues(workloads, users profile.Profile) []string {
	common := []string{wire.ClaimIssuer, wire.ClaimAudience, workloads.AudienceClaim, users.AudienceClaim}
	var names []string
	for name, value := range workloads.RequiredValues {
		if other, ok := users.RequiredValues[name]; (!ok || other != value) && !slices.Contains(common, name) {
			names = append(names, name)
		}
	}
	return names
}

// speaksIn reports whether a token with these claims is one of the issuer, if its signature holds: it states the
// issuer's name as iss, or no iss, and a sub of a trust domain that the issuer vouches for without.
func (p *Profile) speaksIn(claims *strictjson.Object) bool {
	return p.isNamed(claims) && (claims.Has(wire.ClaimIssuer) || slices.Contains(p.domains(), domainOf(claims)))
}

// domains are the trust domains for which the issuer vouches in tokens without iss (SPIFFE JWT-SVID section 3).
func (p *Profile) domains() []principal.TrustDomain {
	if !p.NoIssuer || p.Principals != nil {
		return nil
	}
	var domains []principal.TrustDomain
	for _, s := range p.Subjects {
		if domain := s.TrustDomain(); !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// domainOf is the trust domain of the workload in sub, which nothing proves.
func domainOf(claims *strictjson.Object) principal.TrustDomain {
	subject, _ := claims.String(wire.ClaimSubject)
	id, err := principal.ParseID(subject)
	if err != nil {
		return principal.TrustDomain{}
	}
	return id.TrustDomain()
}

// isNamed reports whether the claims state the issuer's name as iss.
func (p *Profile) isNamed(claims *strictjson.Object) bool {
	return wire.SameClaim(claims, wire.ClaimIssuer, p.Name) ||
		p.BareIssuer && wire.SameClaim(claims, wire.ClaimIssuer, bare(p.Name)) ||
		p.NoIssuer && !claims.Has(wire.ClaimIssuer)
}

// names are the values of iss by which tokens of the issuer are found.
func (p *Profile) names() []string {
	if p.BareIssuer && bare(p.Name) != p.Name {
		return []string{p.Name, bare(p.Name)}
	}
	return []string{p.Name}
}

// SharesName reports whether one iss may be that of tokens of both issuers.
func (p *Profile) SharesName(other *Profile) bool {
	return slices.ContainsFunc(p.names(), func(name string) bool { return slices.Contains(other.names(), name) })
}

// bare is the name of an issuer without its scheme, which some leave out of iss.
func bare(name string) string { return strings.TrimPrefix(name, "https://") }

// checkAudience checks the audience claim, and aud beside another one: a token that says for whom it is must not be
// used elsewhere, whatever its issuer's other tokens leave out.
func (p *Profile) checkAudience(t *Token) error {
	if p.AnyAudience {
		if _, ok := t.Claims.Strings(p.AudienceClaim); !ok && t.Claims.Has(p.AudienceClaim) {
			return errors.New(p.AudienceClaim + " is neither a string nor a list of strings")
		}
		return nil
	}
	audience, ok := t.Claims.Strings(p.AudienceClaim)
	if p.AudienceText {
		text, isText := t.Claims.String(p.AudienceClaim)
		audience, ok = []string{text}, isText
	}
	switch {
	case !ok || len(audience) == 0:
		return errors.New(p.AudienceClaim + " is missing, or of a form that is not accepted")
	case len(audience) > p.MaxAudiences:
		return fmt.Errorf(
			"%s names %d audiences; at most %d are accepted",
			p.AudienceClaim,
			len(audience),
			p.MaxAudiences,
		)
	case !slices.ContainsFunc(audience, p.isAudience):
		return errors.New(p.AudienceClaim + " is not this server")
	}
	if p.AudienceClaim == wire.ClaimAudience || !t.Claims.Has(wire.ClaimAudience) {
		return nil
	}
	if aud, _ := t.Claims.Strings(wire.ClaimAudience); !slices.ContainsFunc(aud, p.isAudience) {
		return errors.New("aud is there beside " + p.AudienceClaim + " and is not this server")
	}
	return nil
}

// Audience is the audience for which the profile accepts the token.
func (t *Token) Audience() string {
	audience, _ := t.Claims.Strings(t.profile.AudienceClaim)
	for _, one := range audience {
		if t.profile.isAudience(one) {
			return one
		}
	}
	return ""
}

// isAudience reports whether the audience is one of the server's.
func (p *Profile) isAudience(audience string) bool { return slices.Contains(p.Audiences, audience) }

func (p *Profile) checkRequired(t *Token) error {
	for _, name := range p.RequiredClaims {
		if !states(t.Claims, name) {
			return errors.New(name + " is missing")
		}
	}
	for name, want := range p.RequiredValues {
		if !wire.SameClaim(t.Claims, name, want) {
			return fmt.Errorf("%s is not %q", name, want)
		}
	}
	return nil
}

// states reports whether a claim is there and says something. A jti must be a string.
func states(claims *strictjson.Object, name string) bool {
	if _, isText := claims.String(name); name == wire.ClaimTokenID && !isText {
		return false
	}
	return claims.States(name)
}

// checkRefused refuses a claim that is there even as null.
func (p *Profile) checkRefused(t *Token) error {
	for _, name := range p.RefusedClaims {
		if t.Claims.Has(name) {
			return errors.New(name + " is there, which such a token does not have")
		}
	}
	return nil
}

// readLifetime reads when the token was issued and when its life ends.
func (p *Profile) readLifetime(t *Token) (err error) {
	if !t.Claims.Has(wire.ClaimIssuedAt) && p.NoIssuedAt {
		t.Expires, err = wire.ReadExpiry(t.Claims)
		if err == nil && time.Until(t.Expires) > p.MaxLifetime {
			err = errors.New("the lifetime is too long")
		}
	} else {
		t.from, t.Expires, err = wire.ReadLifetime(t.Claims, p.MaxLifetime)
	}
	t.since, t.until = t.from.Add(-p.skew()), t.Expires.Add(p.skew())
	return err
}

// readBeginning reads when the token's life begins: the later of iat and nbf.
func (p *Profile) readBeginning(t *Token) error {
	t.early = wire.ErrNotYetValid
	notBefore, ok, err := t.Claims.NumericDate(wire.ClaimNotBefore)
	if err != nil {
		return fmt.Errorf("nbf: %w", err)
	}
	if ok && notBefore.After(t.from) {
		t.from, t.early = notBefore, wire.NotBeforeError{}
		t.since = t.from.Add(-p.skew())
	}
	return nil
}

// Audiences returns for whom the token is.
func (t *Token) Audiences() []string {
	audiences, _ := t.Claims.Strings(t.profile.AudienceClaim) // checked before
	return audiences
}

// Scopes returns the scopes of the token. In one that an issuer signed, what is no scope is left out, and grants
// nothing; in one that a workload signed for itself it is a mistake.
func (t *Token) Scopes() ([]string, error) {
	if t.profile.Name == "" {
		return jose.Scopes(t.Claims)
	}
	var scopes []string
	for _, name := range t.profile.ScopeClaims {
		if text, ok := t.Claims.String(name); ok {
			for word := range strings.SplitSeq(text, " ") {
				if jose.IsScope(word) {
					scopes = append(scopes, word)
				}
			}
			continue
		}
		list, _ := t.Claims.Strings(name)
		list = slices.DeleteFunc(list, func(scope string) bool { return !jose.IsScope(scope) })
		if scopes == nil {
			scopes = list
		} else {
			scopes = append(scopes, list...)
		}
	}
	return scopes, nil
}
