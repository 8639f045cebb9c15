package policy

import (
	"slices"

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
	if issuers := sortedSet(r.words("auth.user.issuers", u.GetIssuers())); len(issuers) > 0 {
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
}

// same reports whether two conditions state the same. No condition is not the same as one that states nothing.
func (u *UserCondition) same(other *UserCondition) bool {
	if u == nil || other == nil {
		return u == other
	}
	return slices.Equal(u.Issuers, other.Issuers) &&
		slices.Equal(u.Subjects, other.Subjects) &&
		slices.Equal(u.Scopes, other.Scopes) &&
		sameClaims(u.Claims, other.Claims)
}

func (r *reader) userCondition(field string, stated *policyv1.UserCondition) *UserCondition {
	if stated == nil {
		return nil
	}
	return &UserCondition{
		Issuers:  r.words(field+".issuers", stated.GetIssuers()),
		Subjects: r.words(field+".subjects", stated.GetSubjects()),
		Scopes:   r.scopes(field+".scopes", stated.GetScopes()),
		Claims:   r.claims(field+".claims", stated.GetClaims()),
	}
}

func (u *UserCondition) words() []string {
	parts := []string{"user"}
	parts = appendWords(parts, "user issuers", u.Issuers)
	parts = appendWords(parts, "user subjects", u.Subjects)
	parts = appendWords(parts, "user scopes", u.Scopes)
	for _, c := range u.Claims {
		parts = append(parts, "user claim "+c.String())
	}
	return parts
}
