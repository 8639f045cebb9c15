package auth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// TokenReport is the result of each check of a token by a server. It does not contain parts of the token from which
// another token could be made, and can be logged.
type TokenReport struct {
	// Issuer is the Name of the token's issuer. It is "" for an unknown issuer, and the checks then end.
	Issuer string
	// Profile is the profile of this issuer's tokens, with its defaults.
	Profile profile.Profile
	// Checks are all checks, in the order in which a server makes them.
	Checks []TokenCheck
	// Notes are what no check can find out, and an operator should know.
	Notes []string
}

// TokenCheck is one check of a token.
type TokenCheck struct {
	// Name is the name of the check, such as "audience".
	Name string
	// Problem is the reason why the token failed the check, or "".
	Problem string
	// Remedies are the settings of the issuer that would let it pass, all of them together. There are none where no
	// setting does.
	Remedies []TokenRemedy
}

// TokenRemedy is a setting of an issuer that would let a check pass.
type TokenRemedy struct {
	// Setting is its key in the configuration file, such as max_lifetime.
	Setting string
	// Value is the value that would accept the token.
	Value string
	// Cost is the cost of this value in safety.
	Cost string
}

// Passed reports whether the token passed the check.
func (c TokenCheck) Passed() bool { return c.Problem == "" }

// Accepted reports whether the token passed every check.
func (r TokenReport) Accepted() bool {
	for _, c := range r.Checks {
		if !c.Passed() {
			return false
		}
	}
	return true
}

// CheckToken makes every check that a server with the ID self makes of a token of these issuers, also those behind one
// that failed. An issuer with Subjects or Principals vouches for workloads, any other for end users. The first issuer
// that the token names is the one that is checked; where that vouches for users, those behind it that vouch for
// workloads can make the token one of a workload.
//
// It waits for the keys as a call does. It knows no identity: it does not ask who is in a trust directory, nor which
// trust domains are accepted. [Identity.CheckToken] does. The error is that of the issuers, with nothing said about the
// token.
func CheckToken(ctx context.Context, self principal.ID, token string, issuers ...Issuer) (TokenReport, error) {
	return checkToken(ctx, self, token, issuers)
}

// CheckToken is [CheckToken] by a server of the identity. It also checks that the trust domain of the workload is
// accepted, and that the token names no workload of the identity's own trust unless its issuer is Shared. The error is
// also that of [Identity.Check].
func (i *Identity) CheckToken(ctx context.Context, token string, issuers ...Issuer) (TokenReport, error) {
	if err := i.Check(); err != nil {
		return TokenReport{}, err
	}
	return checkToken(ctx, i.self, token, issuers,
		func(t *verify.Token) verify.Finding {
			return verify.Finding{Check: "trust domain", Err: i.checkDomain(t)}
		},
		func(t *verify.Token) verify.Finding {
			f := verify.Finding{Check: "own workloads", Err: i.checkForeign(t)}
			if f.Err != nil && !errors.Is(f.Err, verify.ErrKeysUnavailable) {
				f.Remedies = []verify.Remedy{verify.SharedRemedy()}
			}
			return f
		})
}

func checkToken(
	ctx context.Context, self principal.ID, token string, issuers []Issuer, further ...func(*verify.Token) verify.Finding,
) (TokenReport, error) {
	var profiles []*verify.Profile
	var errs []error
	for _, issuer := range issuers {
		p, err := issuer.profile(self)
		if err == nil {
			err = issuer.Keys.Check()
		}
		errs = append(errs, err)
		profiles = append(profiles, p)
	}
	if err := errors.Join(errs...); err != nil {
		return TokenReport{}, err
	}
	p, findings := verify.Explain(ctx, profiles, token, further...)
	var r TokenReport
	var of Issuer
	if p != nil {
		r.Issuer, r.Profile = p.Name, p.Profile
		r.Notes = p.Notes(profiles)
		of = issuers[slices.Index(profiles, p)]
	}
	for _, f := range findings {
		c := TokenCheck{Name: f.Check}
		if f.Err != nil {
			c.Problem = f.Err.Error()
		}
		for _, remedy := range f.Remedies {
			if p != nil && !of.mayBe(p, remedy, issuers) {
				c.Remedies = nil
				break
			}
			c.Remedies = append(c.Remedies, tokenRemedy(remedy, of.Principals != nil))
		}
		r.Checks = append(r.Checks, c)
	}
	return r, nil
}

// mayBe reports whether the issuer would still be none of which a server has to say that users pass for workloads.
func (is Issuer) mayBe(p *verify.Profile, remedy verify.Remedy, issuers []Issuer) bool {
	if is.Principals == nil {
		return true
	}
	changed := *p
	remedy.Apply(&changed)
	is.Profile = changed.Profile
	users := slices.DeleteFunc(slices.Clone(issuers), func(other Issuer) bool {
		return other.Principals != nil || len(other.Subjects) > 0
	})
	if !slices.ContainsFunc(users, is.sharesName) {
		return is.checkUnlisted() == nil
	}
	return checkTelling([]Issuer{is}, users) == nil
}

// costs of settings that are not exceptions of a profile.
const (
	costOfPurpose = "tokens that the issuer makes for another purpose, such as ID tokens that a login page may leak, may " +
		"pass for access tokens, as nothing is demanded any more of "
	costOfUsers = "; tokens of users may pass for those of workloads"
)

func tokenRemedy(r verify.Remedy, workloads bool) TokenRemedy {
	dropped := strings.Join(r.Dropped, ", ")
	users := ""
	if workloads {
		users = costOfUsers
	}
	e, _ := profile.Setting(r.Field)
	switch r.Field {
	case "Name":
		return TokenRemedy{
			"issuer",
			r.Value,
			"whatever its keys sign is believed here; name an issuer that you trust, with its own keys",
		}
	case "Audiences":
		return TokenRemedy{"audiences", r.Value, "every token of the issuer for this audience can be used here"}
	case "RefusedClaims":
		return TokenRemedy{"refused_claims", r.Value, costOfPurpose + dropped + users}
	case "RequiredValues":
		return TokenRemedy{"required_values", r.Value, costOfPurpose + dropped + users}
	case "RequiredClaims":
		if dropped != "jti" {
			return TokenRemedy{"required_claims", r.Value, costOfPurpose + dropped + users}
		}
	case "Algorithms":
		return TokenRemedy{"keys.algorithms", r.Value, "keys of the issuer for another algorithm count, too"}
	case "AudienceText":
		return TokenRemedy{"audience_text", r.Value, "a token may be for others, too, as far as max_audiences allows"}
	case "Shared":
		return TokenRemedy{
			"shared", r.Value, "the issuer can be any workload that it may name, also those with keys of their own here",
		}
	}
	return TokenRemedy{e.Setting, r.Value, e.Cost}
}
