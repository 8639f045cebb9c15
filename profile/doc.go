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
// No profile can accept the following: an algorithm other than that of the key, a header member that changes the
// verification (crit, jku, jwk, x5u, x5c, b64, zip, cty), a duplicate member, a token without exp, and a token without
// an audience.
package profile
