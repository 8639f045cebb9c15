// Package profile says what the tokens of an issuer look like: their types, how long they are and live, which claims
// say for whom they are and about whom. A [Profile] is stated for each issuer, in code and in the configuration file
// alike. The zero Profile is that of Parley's own access tokens (RFC 9068), and every exception from it has a name and
// a price, which [Profile.Exceptions] lists.
//
// What products issue is known by name: profile.Of(profile.Okta) opens what Okta's access tokens need and nothing else.
//
//	auth.WithUserIssuers(auth.Issuer{
//		Name:      "https://shop.okta.com/oauth2/default",
//		Keys:      keyset.Provider("https://shop.okta.com/oauth2/default"),
//		Audiences: []string{"api://shop"},
//		Profile:   profile.Of(profile.Okta),
//	})
//
// Some things no profile can open: an algorithm that is not the key's, a member of the header that changes what is
// verified (crit, jku, jwk, x5u, x5c, b64, zip, cty), a member that stands twice, a token without an end, and one that
// is for anybody.
package profile
