package policy_test

import (
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

// A star where there are no patterns would be a letter: a rule that denies guest-* would let guest-17 pass. It is a
// mistake in every field that is compared letter by letter.
func TestStarsAreMistakes(t *testing.T) {
	user := func(u *policyv1.UserCondition) *policyv1.Policy { return deny(&policyv1.Rule{Name: new("r"), User: u}) }
	claim := func(c *policyv1.Claim) *policyv1.Policy { return deny(rule("r", c)) }
	role := []string{"role"}
	for name, test := range map[string]struct {
		p    *policyv1.Policy
		want string
	}{
		"subjects": {
			user(&policyv1.UserCondition{Subjects: []string{"alice", "guest-*"}}),
			`auth.deny[0].user.subjects[1]: "guest-*" has a star, and there are no patterns here; for a beginning or an ` +
				`end say subject_prefix or subject_suffix, and write \* for a real star`,
		},
		"issuers": {
			user(&policyv1.UserCondition{Issuers: []string{"https://*.example"}}),
			`auth.deny[0].user.issuers[0]: "https://*.example" has a star, and there are no patterns here; name each ` +
				`one, and write \* for a real star`,
		},
		"issuers of the method": {
			auth(&policyv1.Auth{User: &policyv1.User{Issuers: []string{"*"}}}),
			`auth.user.issuers[0]: "*" has a star`,
		},
		"scopes of the user": {
			auth(&policyv1.Auth{User: &policyv1.User{Scopes: []string{"orders.*"}}}),
			`auth.user.scopes[0]: "orders.*" has a star`,
		},
		"scopes": {
			auth(&policyv1.Auth{Scopes: []string{"orders.*"}}),
			`auth.scopes[0]: "orders.*" has a star`,
		},
		"scopes of a rule": {
			deny(&policyv1.Rule{Name: new("r"), Scopes: []string{"*"}}),
			`auth.deny[0].scopes[0]: "*" has a star`,
		},
		"audiences": {
			deny(&policyv1.Rule{Name: new("r"), Audiences: []string{"spiffe://shop.example/*"}}),
			`auth.deny[0].audiences[0]: "spiffe://shop.example/*" has a star`,
		},
		"any": {
			claim(&policyv1.Claim{Path: role, Any: text("guest-*")}),
			`auth.deny[0].claims[0].any[0]: "guest-*" has a star, and there are no patterns here; for a beginning or an ` +
				`end say prefix or suffix`,
		},
		"all": {
			claim(&policyv1.Claim{Path: role, All: text("*")}),
			`auth.deny[0].claims[0].all[0]: "*" has a star`,
		},
		"none": {
			claim(&policyv1.Claim{Path: role, None: text("*-admin")}),
			`auth.deny[0].claims[0].none[0]: "*-admin" has a star`,
		},
		"equals": {
			claim(&policyv1.Claim{Path: role, Equals: text("a*b")[0]}),
			`auth.deny[0].claims[0].equals: "a*b" has a star`,
		},
		"path": {
			claim(&policyv1.Claim{Path: []string{"roles", "*"}, Exists: new(true)}),
			`auth.deny[0].claims[0].path[1]: "*" has a star`,
		},
		"prefix": {
			claim(&policyv1.Claim{Path: role, Prefix: []string{"guest-*"}}),
			`auth.deny[0].claims[0].prefix[0]: "guest-*" has a star, and there are no patterns here; the rest is open ` +
				`without one; take it out`,
		},
		"suffix": {
			claim(&policyv1.Claim{Path: role, Suffix: []string{"*-bot"}}),
			`auth.deny[0].claims[0].suffix[0]: "*-bot" has a star`,
		},
		"subject_prefix": {
			user(&policyv1.UserCondition{SubjectPrefix: []string{"guest-*"}}),
			`auth.deny[0].user.subject_prefix[0]: "guest-*" has a star`,
		},
		"subject_suffix": {
			user(&policyv1.UserCondition{SubjectSuffix: []string{"*@clients"}}),
			`auth.deny[0].user.subject_suffix[0]: "*@clients" has a star`,
		},
		"a star beside a real one": {
			user(&policyv1.UserCondition{Subjects: []string{`a\*b*`}}), `auth.deny[0].user.subjects[0]: "a\\*b*" has a star`,
		},
		"two stars, one of them real": {user(&policyv1.UserCondition{Subjects: []string{`a\**`}}), `has a star`},
	} {
		if _, err := policy.New(file(policies{charge: test.p})); err == nil ||
			!strings.Contains(err.Error(), charge+": "+test.want) && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got  %v\nwant %s", name, err, test.want)
		}
	}
}

// What begins with a backslash and a star is a real star, and a backslash elsewhere is itself.
func TestRealStars(t *testing.T) {
	for stated, want := range map[string]string{
		`orders:\*`:   `orders:*`,
		`\*`:          `*`,
		`\\*`:         `\*`,
		`\*\*`:        `**`,
		`SHOP\alice`:  `SHOP\alice`,
		`SHOP\\alice`: `SHOP\\alice`,
		`\`:           `\`,
	} {
		r, mistakes := policy.ReadRule(&policyv1.Rule{
			Name: new("r"), Audiences: []string{stated}, Scopes: []string{stated},
			Claims: []*policyv1.Claim{{Path: []string{stated}, Any: text(stated), Prefix: []string{stated}}},
			User: &policyv1.UserCondition{
				Issuers:       []string{stated},
				Subjects:      []string{stated},
				SubjectSuffix: []string{stated},
			},
		})
		got := []string{
			r.Audiences[0], r.Scopes[0], r.Claims[0].Path[0], r.Claims[0].Any[0].Text, r.Claims[0].Prefix[0],
			r.User.Issuers[0], r.User.Subjects[0], r.User.SubjectSuffix[0],
		}
		if len(mistakes) > 0 || slices.ContainsFunc(got, func(text string) bool { return text != want }) {
			t.Errorf("%s is read as %q, want %q; %v", stated, got, want, mistakes)
		}
	}
}
