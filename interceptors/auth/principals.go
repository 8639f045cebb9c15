package auth

import (
	"errors"
	"slices"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// checkPrincipals returns every mistake in which workloads issuers of bearer tokens may name: no two of them may name
// one, without saying so none may name a workload for which the identity has an issuer of its own, Subjects are of
// accepted trust domains, and no user may pass for a workload.
func checkPrincipals(issuers, users []Issuer, identity *workload) error {
	var errs []error
	for n, issuer := range issuers {
		wrong := func(format string, args ...any) { errs = append(errs, issuer.mistake(format, args...)) }
		if len(issuer.Subjects) == 0 && issuer.Principals == nil {
			wrong("it has no |Subjects| and no |Principals|; state which workloads it may vouch for")
		}
		if issuer.Principals == nil {
			for _, p := range issuer.Subjects {
				if principal.IsPattern(p) && !identity.accepts(p.TrustDomain()) {
					wrong("it has the subject %v of a trust domain that is not accepted, so each such token would be "+
						"refused; accept it in |WithAcceptDomains|, or leave the subject out", p)
				}
			}
		}
		mine := issuer.mayName()
		for _, other := range issuers[n+1:] {
			if issuer.Principals == nil && other.Principals == nil || issuer.Name == other.Name {
				continue // whose tokens state IDs, and which ones both may state is listed
			}
			if p, q, both := common(mine, other.mayName()); both {
				wrong("it may name %v, and %s may name %v, so that both can name one workload; narrow one of them",
					p, other.title(), q)
			}
		}
		for _, p := range mine {
			own := ""
			if principal.IsPattern(p) {
				own = identity.issuerFor(p.TrustDomain())
			}
			if own != "" && own != issuer.Name && !issuer.Shared {
				wrong("it may name %v, and the identity's issuer %s vouches for that trust domain; name others, or say |Shared|",
					p, quote.Text(own))
			}
		}
		if issuer.Principals == nil {
			continue
		}
		if issuer.Profile.NoIssuer {
			wrong("it has |Principals|, and |Profile.NoIssuer|, whose tokens name their workload in sub; keep one")
		}
		if !slices.ContainsFunc(users, issuer.sharesName) {
			errs = append(errs, issuer.checkUnlisted())
		}
	}
	return errors.Join(append(errs, checkTelling(issuers, users))...)
}

// howToTell ends the mistake of an issuer whose users pass for workloads.
const howToTell = "list workloads by the claim that names users (|Principals.Claim|), or name claims that are the same " +
	"in those of workloads (|Principals.Same|), or a value that users do not have (|Profile.RequiredValues|), or refuse " +
	"the claim that names users (|Profile.RefusedClaims|)"

// checkTelling finds issuers of workloads that vouch for users as well, where nothing tells the tokens apart.
func checkTelling(issuers, users []Issuer) error {
	var errs []error
	for _, issuer := range issuers {
		for _, user := range users {
			if issuer.Principals != nil && issuer.sharesName(user) && !issuer.tellsUsers(user) {
				errs = append(errs, issuer.mistake("it vouches for users as well, and nothing tells their tokens (%s) from "+
					"those of workloads; "+howToTell, user.title()))
			}
		}
	}
	return errors.Join(errs...)
}

// checkUnlisted finds an issuer whose users nobody lists, and whose map is about claims that they have as well: it is
// bound to sign such tokens as soon as it has users.
func (is Issuer) checkUnlisted() error {
	mapping, err := is.Principals.Compile()
	if err != nil {
		return nil //nolint:nilerr // which is reported elsewhere
	}
	users := Issuer{Profile: profile.Of(is.Profile.Provider())}
	claim := mapping.NamesUsers(users.Profile.WithDefaults().SubjectClaim)
	if claim == "" || is.tellsUsers(users) {
		return nil
	}
	return is.mistake("it maps %s, which the token of a user has, too: that of a user who came through the client of a "+
		"workload would be the workload's; "+howToTell, quote.Text(claim))
}

// mayName are the workloads that an issuer may name. Mistakes in it are reported elsewhere.
func (is Issuer) mayName() []principal.Pattern {
	if is.Principals == nil {
		return is.Subjects
	}
	mapping, err := is.Principals.Compile()
	if err != nil {
		return nil
	}
	return mapping.Patterns()
}

// mayNameIn reports whether the map of an issuer may name workloads of a trust domain.
func mayNameIn(issuers []Issuer, domain principal.TrustDomain) bool {
	return slices.ContainsFunc(issuers, func(issuer Issuer) bool {
		return issuer.Principals != nil && slices.ContainsFunc(issuer.mayName(), func(p principal.Pattern) bool {
			return p.TrustDomain() == domain
		})
	})
}

// common returns a pattern of each list that match one workload.
func common(a, b []principal.Pattern) (p, q principal.Pattern, both bool) {
	for _, p := range a {
		for _, q := range b {
			if principal.IsPattern(p) && principal.IsPattern(q) && p.Overlaps(q) {
				return p, q, true
			}
		}
	}
	return nil, nil, false
}

// sharesName reports whether one iss may be that of tokens of both issuers.
func (is Issuer) sharesName(other Issuer) bool {
	mine := verify.Profile{Profile: is.Profile, Name: is.Name}
	theirs := verify.Profile{Profile: other.Profile, Name: other.Name}
	return mine.SharesName(&theirs)
}

// tellsUsers reports whether the issuer states what tells the tokens of workloads from those of users, for whom it
// vouches as well.
func (is Issuer) tellsUsers(users Issuer) bool {
	mine, theirs := is.Profile.WithDefaults(), users.Profile.WithDefaults()
	subject := theirs.SubjectClaim
	switch {
	case len(is.Principals.Same) > 0:
		return true
	case is.Principals.Claim == subject: // which names one principal, and those that are listed are workloads
		return true
	case slices.Contains(is.Profile.RefusedClaims, subject): // which the token of every user has
		return true
	}
	return len(verify.TellingValues(mine, theirs)) > 0
}

// issuerFor is the name of the issuer of the identity that vouches for a trust domain, "" where none does.
func (i *workload) issuerFor(domain principal.TrustDomain) string {
	for _, issuer := range i.kind.issuers() {
		if slices.Contains(issuer.Domains, domain) {
			return issuer.Name
		}
	}
	return ""
}

// checkTables finds tables and subjects that name a workload of the trust directory.
func (i *workload) checkTables(issuers []Issuer) error {
	c := i.ready.Load()
	if c == nil {
		return nil
	}
	var errs []error
	for _, issuer := range issuers {
		if issuer.Shared || i.issuerFor(i.self.TrustDomain()) != "" {
			continue
		}
		for _, p := range issuer.mayName() {
			id, single := p.(principal.ID)
			if !single {
				continue
			}
			if named, err := c.trust.Names(id); err == nil && named {
				errs = append(errs, issuer.mistake(
					"it may name %v, which has a key in the trust directory; name another, or say |Shared|", id))
			}
		}
	}
	return errors.Join(errs...)
}

// checkForeign refuses a token in which a foreign issuer names a workload of the trust directory. What stands there may
// change at any time, so it is asked for each call.
func (i *workload) checkForeign(t *verify.Token) error {
	if !t.Foreign() {
		return nil
	}
	trust, err := i.currentTrust()
	if err != nil {
		return err
	}
	named, err := trust.Names(t.Workload)
	if err == nil && named && i.issuerFor(t.Workload.TrustDomain()) != t.Issuer {
		err = errors.New("principals: the token names a workload that the own trust knows, which no foreign issuer may")
	}
	return err
}

// checkDomain refuses a token of a workload of a trust domain that is not accepted. A map is a statement of who is.
func (i *workload) checkDomain(t *verify.Token) error {
	if !t.Mapped() && !i.accepts(t.Workload.TrustDomain()) {
		return errors.New("its trust domain is not accepted")
	}
	return nil
}

// validityOf is how long a stream may go on that a token has opened.
func (i *workload) validityOf(t *verify.Token) verify.Validity {
	if !t.Foreign() {
		return t.Validity()
	}
	return foreignValidity{t.Validity(), i, t}
}

// foreignValidity is the validity of a token that must not name a workload of the own trust, which may come to know it.
type foreignValidity struct {
	verify.Validity
	identity *workload
	token    *verify.Token
}

func (v foreignValidity) Holds(kid string, id principal.ID) bool {
	return v.Validity.Holds(kid, id) && v.identity.checkForeign(v.token) == nil
}

func (v foreignValidity) Generation() uint64 {
	trust, err := v.identity.currentTrust()
	if err != nil {
		return verify.Never
	}
	return v.Validity.Generation() + trust.Generation()
}
