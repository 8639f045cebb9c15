package auth_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/profile"
)

// problems are the checks that a token did not pass, with what would let it pass.
func problems(r auth.TokenReport) string {
	var lines []string
	for _, c := range r.Checks {
		if c.Passed() {
			continue
		}
		line := c.Name + ": " + c.Problem
		for _, remedy := range c.Remedies {
			line += "; " + remedy.Setting + ": " + remedy.Value
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// A report names the issuer, every check that fails and what would mend it at which price, and no part of the token.
func TestCheckToken(t *testing.T) {
	const us = "spiffe://shop.example/payments"
	says := func(typ string, change claims) func(authority) string {
		said := claims{"sub": "alice"}
		maps.Copy(said, change)
		return func(a authority) string { return a.token(t, typ, said) }
	}
	strict := profile.Profile{}
	for name, test := range map[string]struct {
		look  profile.Profile
		token func(a authority) string
		want  string
	}{
		"good": {strict, says("at+jwt", nil), ""},
		"an ID token of Entra by the strict profile": {
			strict, says("JWT", claims{"jti": nil, "exp": in(2 * time.Hour), "aud": []string{us, "x"}}),
			`type: jose: typ: not allowed here; types: ["at+jwt", "JWT"]
audience: aud names 2 audiences; at most 1 are accepted; max_audiences: 2
required claims: jti is missing; required_claims: []
lifetime: the lifetime is too long; max_lifetime: 2h0m0s`,
		},
		"expired for long": {
			strict, says("at+jwt", claims{"iat": in(-time.Hour), "exp": in(-time.Hour / 2)}), `time: exp has passed`,
		},
		"expired a moment ago": {
			strict, says("at+jwt", claims{"iat": in(-time.Hour), "exp": in(-time.Minute)}),
			`time: exp has passed; clock_skew: 1m1s`,
		},
		"good in nine minutes": {strict, says("at+jwt", claims{"nbf": in(9 * time.Minute)}), `time: nbf lies ahead`},
		"a workload's": {
			strict, says("at+jwt", claims{"sub": "spiffe://legacy.example/till"}), `user: sub is a workload and no user`,
		},
		"a workload's in another case": {
			strict, says("at+jwt", claims{"sub": "Spiffe://legacy.example/till"}), `user: sub is a workload and no user`,
		},
		"for another": {
			strict, says("at+jwt", claims{"aud": "api://x"}),
			`audience: aud is not this server; audiences: ["spiffe://shop.example/payments", "api://x"]`,
		},
		"an identity token": {strict, says("wit+jwt", nil), `type: jose: typ: not allowed here`},
		"of another issuer": {
			strict, says("at+jwt", claims{"iss": "https://x.example"}),
			`issuer: iss is "https://x.example", which is no issuer that is accepted here; issuer: "https://x.example"`,
		},
		"by another key": {
			strict, func(a authority) string { return says("at+jwt", nil)(authority{a.Issuer, newAuthority(t, "x").key}) },
			"key: keyset: the issuer has no key of that kid\n" +
				"signature: not checked, because there is no key to check it with",
		},
		"a signature of nobody": {strict, func(a authority) string {
			token := says("at+jwt", nil)(a)
			return token[:len(token)-86] + strings.Repeat("A", 86)
		}, "signature: jose: signature: does not hold"},
		"half of one": {
			strict, func(a authority) string { return says("at+jwt", nil)(a)[:100] },
			"form: jose: segments: fewer than three segments",
		},
		"Keycloak's ID token by its preset": {
			profile.Of(profile.Keycloak), says("JWT", claims{"typ": "ID"}),
			`required claims: typ is not "Bearer"; required_values: {}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := newAuthority(t, "https://id.example")
				a.Subjects, a.Profile = nil, test.look
				token := test.token(a)
				r, err := auth.CheckToken(t.Context(), w.id("payments"), token, a.Issuer)
				if err != nil {
					t.Fatal(err)
				}
				if got := problems(r); got != test.want || r.Accepted() != (test.want == "") {
					t.Errorf("got\n%s\nwant\n%s", got, test.want)
				}
				for _, c := range r.Checks {
					for part := range strings.SplitSeq(token, ".") {
						if strings.Contains(c.Problem, part) {
							t.Errorf("%s shows a part of the token", c.Name)
						}
					}
					for _, remedy := range c.Remedies {
						if remedy.Setting == "" || remedy.Cost == "" {
							t.Errorf("%s: %+v has no name or no price", c.Name, remedy)
						}
					}
				}
			})
		})
	}
	w := newWorld(t)
	if _, err := auth.CheckToken(t.Context(), w.id("payments"), "x", auth.Issuer{}); err == nil {
		t.Error("an issuer without a name and without keys is none")
	}
	broken := auth.Issuer{Name: "x", Keys: keyset.Static([]byte("{"))}
	if _, err := auth.CheckToken(t.Context(), w.id("payments"), "x", broken); err == nil {
		t.Error("keys that cannot be read are none")
	}
}
