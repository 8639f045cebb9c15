package verify

import (
	"slices"
	"strings"

	"github.com/parley-rpc/parley/profile"
)

// Notes says what nothing here can check of the tokens of an issuer of workloads: whether a value that they must have
// tells them from those of users, where nothing else does. Users are the issuers of users.
func (p *Profile) Notes(users []*Profile) []string {
	if p.Principals == nil || p.Principals.TellsUsers() {
		return nil
	}
	var theirs []profile.Profile
	for _, u := range users {
		if u.vouchesForUsers() && u.SharesName(p) {
			theirs = append(theirs, u.Profile)
		}
	}
	if theirs == nil {
		theirs = []profile.Profile{profile.Of(p.Provider()).WithDefaults()}
	}
	for _, users := range theirs {
		telling := TellingValues(p.Profile, users)
		slices.Sort(telling)
		certain := slices.ContainsFunc(telling, func(name string) bool {
			_, another := users.RequiredValues[name]
			return another || slices.Contains(users.RefusedClaims, name)
		})
		if len(telling) == 0 || certain || slices.Contains(p.RefusedClaims, users.SubjectClaim) ||
			p.Principals.NamesUsers(users.SubjectClaim) == "" {
			continue
		}
		return []string{"only " + strings.Join(telling, " and ") + " tells this workload's token from that of a user who " +
			"came through its client, and only the issuer knows whether users have another value; prefer claims that are the " +
			"same for workloads alone (principals.same)"}
	}
	return nil
}
