package policy

import (
	"slices"
	"strings"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// User says what a method demands of the end user on whose behalf the caller calls.
type User struct {
	// Presence is whether there must be a user. Not stated: there may be one.
	Presence Value[Presence]
	// Issuers are the issuers that may vouch for the user, sorted. Not stated: every one that the server trusts.
	Issuers Value[[]string]
	// Scopes are the scopes that the user's token must carry, all of them, sorted, wherever there is a user.
	Scopes Value[[]string]
}

// Stated reports whether anything is demanded of the user.
func (u User) Stated() bool { return u.Presence.Stated() || u.Issuers.Stated() || u.Scopes.Stated() }

// Presence is whether there must be an end user. A larger value is stricter.
type Presence int

// The levels of presence.
const (
	// Nothing is said, so there may be a user.
	PresenceUnspecified Presence = iota
	// There may be a user.
	PresenceOptional
	// There must be a user.
	PresenceRequired
)

// String is the level as a configuration file writes it.
func (p Presence) String() string {
	switch p {
	case PresenceUnspecified:
		return "unspecified"
	case PresenceOptional:
		return "optional"
	case PresenceRequired:
		return "required"
	default:
		return "invalid presence"
	}
}

func (r *reader) user(u *policyv1.User) User {
	var user User
	switch u.GetPresence() {
	case policyv1.Presence_PRESENCE_UNSPECIFIED:
	case policyv1.Presence_PRESENCE_OPTIONAL:
		user.Presence = Value[Presence]{PresenceOptional, r.source}
	case policyv1.Presence_PRESENCE_REQUIRED:
		user.Presence = Value[Presence]{PresenceRequired, r.source}
	default:
		r.wrong("auth.user.presence",
			"%d is no level of presence; say PRESENCE_REQUIRED or PRESENCE_OPTIONAL, or leave it out", int32(u.GetPresence()))
		user.Presence = Value[Presence]{PresenceRequired, r.source}
	}
	if issuers := sortedSet(r.literals("auth.user.issuers", nameEach, u.GetIssuers())); len(issuers) > 0 {
		user.Issuers = Value[[]string]{issuers, r.source}
	}
	if scopes := r.scopes("auth.user.scopes", u.GetScopes()); len(scopes) > 0 {
		user.Scopes = Value[[]string]{scopes, r.source}
	}
	if u != nil && !user.Stated() {
		r.wrong("auth.user", "nothing is stated about the user; state presence, issuers or scopes, or take it out")
	}
	return user
}

// UserCondition is a condition on the end user of a call. Everything that it states must hold. One that states nothing
// holds for every call that has a user.
type UserCondition struct {
	// Issuers are the issuers of which one must vouch for the user. None: any.
	Issuers []string
	// Subjects are the users of whom the user must be one, by sub. None: any.
	Subjects []string
	// Scopes are the scopes that the user's token must carry, all of them, sorted.
	Scopes []string
	// Claims are the conditions on the claims of the user's token.
	Claims []Claim
	// SubjectPrefix are the texts with one of which the user's sub must begin. None: any.
	SubjectPrefix []string
	// SubjectSuffix are the texts with one of which the user's sub must end. None: any.
	SubjectSuffix []string
}

// Names reports whether the condition may hold for the user whom the issuer calls subject.
func (u *UserCondition) Names(issuer, subject string) bool {
	return (len(u.Issuers) == 0 || slices.Contains(u.Issuers, issuer)) && u.namesSubject(subject)
}

func (u *UserCondition) namesSubject(subject string) bool {
	return (len(u.Subjects) == 0 || slices.Contains(u.Subjects, subject)) &&
		(len(u.SubjectPrefix) == 0 || hasOne(subject, u.SubjectPrefix, strings.HasPrefix)) &&
		(len(u.SubjectSuffix) == 0 || hasOne(subject, u.SubjectSuffix, strings.HasSuffix))
}

// namesAny reports whether the condition leaves open who the user is.
func (u *UserCondition) namesAny() bool {
	return len(u.Issuers)+len(u.Subjects)+len(u.SubjectPrefix)+len(u.SubjectSuffix) == 0
}

// same reports whether two conditions state the same. No condition is not the same as one that states nothing.
func (u *UserCondition) same(other *UserCondition) bool {
	if u == nil || other == nil {
		return u == other
	}
	return slices.Equal(u.Issuers, other.Issuers) &&
		slices.Equal(u.Subjects, other.Subjects) &&
		slices.Equal(u.Scopes, other.Scopes) &&
		sameClaims(u.Claims, other.Claims) &&
		slices.Equal(u.SubjectPrefix, other.SubjectPrefix) &&
		slices.Equal(u.SubjectSuffix, other.SubjectSuffix)
}

func (r *reader) userCondition(field string, stated *policyv1.UserCondition) *UserCondition {
	if stated == nil {
		return nil
	}
	u := &UserCondition{
		Issuers:       r.literals(field+".issuers", nameEach, stated.GetIssuers()),
		Subjects:      r.literals(field+".subjects", saySubject, stated.GetSubjects()),
		Scopes:        r.scopes(field+".scopes", stated.GetScopes()),
		Claims:        r.claims(field+".claims", stated.GetClaims()),
		SubjectPrefix: r.affixes(field+".subject_prefix", stated.GetSubjectPrefix()),
		SubjectSuffix: r.affixes(field+".subject_suffix", stated.GetSubjectSuffix()),
	}
	if len(u.Subjects) > 0 && !slices.ContainsFunc(u.Subjects, u.namesSubject) {
		r.wrong(field, "it can never hold: subjects contradicts subject_prefix or subject_suffix; keep one of them")
	}
	return u
}

func (u *UserCondition) words() []string {
	parts := []string{"user"}
	parts = appendWords(parts, "user issuers", u.Issuers)
	parts = appendWords(parts, "user subjects", u.Subjects)
	parts = appendWords(parts, "user subject_prefix", u.SubjectPrefix)
	parts = appendWords(parts, "user subject_suffix", u.SubjectSuffix)
	parts = appendWords(parts, "user scopes", u.Scopes)
	for _, c := range u.Claims {
		parts = append(parts, "user claim "+c.String())
	}
	return parts
}
