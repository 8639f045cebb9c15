package policy

// User says what a method demands of the end user on whose behalf the caller calls.
type User struct {
	// Presence is whether there must be a user. Not stated: there may be one.
	Presence Value[Presence]
	// Issuers are those that may vouch for the user, sorted. Not stated: every one that the server trusts.
	Issuers Value[[]string]
	// Scopes are the scopes that the user's token must carry, all of them, sorted, wherever there is a user.
	Scopes Value[[]string]
}

// Stated tells whether anything is demanded of the user.
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
