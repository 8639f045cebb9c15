package policy_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

func text(values ...string) []*structpb.Value {
	var all []*structpb.Value
	for _, value := range values {
		all = append(all, structpb.NewStringValue(value))
	}
	return all
}

// rule is a rule that asks for one claim.
func rule(name string, claim *policyv1.Claim) *policyv1.Rule {
	return &policyv1.Rule{Name: new(name), Claims: []*policyv1.Claim{claim}}
}

func allow(rules ...*policyv1.Rule) *policyv1.Policy { return auth(&policyv1.Auth{Allow: rules}) }

func deny(rules ...*policyv1.Rule) *policyv1.Policy { return auth(&policyv1.Auth{Deny: rules}) }

func peersRule(name string, peers ...string) *policyv1.Rule {
	return &policyv1.Rule{Name: new(name), Peers: peers}
}

// What rules may not say. Each mistake names its place and a remedy.
func TestMistakesInRules(t *testing.T) {
	env := func(c *policyv1.Claim) *policyv1.Policy {
		c.Path = []string{"env"}
		return deny(rule("r", c))
	}
	const never = "auth.deny[0].claims[0]: it can never hold: "
	for _, test := range []struct {
		name string
		p    *policyv1.Policy
		want string
	}{
		{"no name", allow(&policyv1.Rule{Peers: []string{"a"}}), `auth.allow[0].name: it is missing; give the rule a name, under which the log reports it`},
		{"name with a space", allow(peersRule("a b", "a")), `auth.allow[0].name: "a b" is no name; use at most 64 letters, digits, ".", "_" and "-"`},
		{"name with a newline", allow(peersRule("a\nb", "a")), `auth.allow[0].name: "a\nb" is no name; use at most 64 letters, digits, ".", "_" and "-"`},
		{"two of a name", auth(&policyv1.Auth{Allow: []*policyv1.Rule{peersRule("r", "a")}, Deny: []*policyv1.Rule{peersRule("r", "b")}}), `auth: two rules are called "r"; give each a name of its own`},
		{"empty rule", deny(&policyv1.Rule{Name: new("r")}), `auth.deny[0]: the rule states no condition; state one, or say who may call with access`},
		{"empty peer", allow(peersRule("r", "")), `auth.allow[0].peers: an entry is empty; take it out or write what was meant`},
		{"empty subject", allow(&policyv1.Rule{Name: new("r"), User: &policyv1.UserCondition{Subjects: []string{""}}}), `auth.allow[0].user.subjects: an entry is empty; take it out or write what was meant`},
		{"no path", deny(rule("r", &policyv1.Claim{Exists: new(true)})), `auth.deny[0].claims[0].path: it is empty; name the claim, as a list of names that leads to it`},
		{"empty name in a path", deny(rule("r", &policyv1.Claim{Path: []string{"a", ""}, Exists: new(true)})), `auth.deny[0].claims[0].path: an entry is empty; take it out or write what was meant`},
		{"long path", deny(rule("r", &policyv1.Claim{Path: slices.Repeat([]string{"a"}, 9), Exists: new(true)})), `auth.deny[0].claims[0].path: it has 9 names; claims are looked for at most 8 deep`},
		{
			"no operator",
			env(&policyv1.Claim{}),
			`auth.deny[0].claims[0]: no operator is stated; state any, all, none, equals, prefix, suffix or exists`,
		},
		{"split of a later version", env(&policyv1.Claim{Split: new(policyv1.Split(7)), Exists: new(true)}), `auth.deny[0].claims[0].split: 7 is no way to split; say SPLIT_SPACE, or leave it out`},
		{"a value that is null", env(&policyv1.Claim{Any: []*structpb.Value{structpb.NewNullValue()}}), `auth.deny[0].claims[0].any[0]: it is neither a string nor a number nor true or false; claims are compared with nothing else`},
		{"a value that is a list", env(&policyv1.Claim{Equals: structpb.NewListValue(&structpb.ListValue{})}), `auth.deny[0].claims[0].equals: it is neither a string nor a number nor true or false; claims are compared with nothing else`},
		{"a value that is not there", env(&policyv1.Claim{All: []*structpb.Value{{}}}), `auth.deny[0].claims[0].all[0]: it is neither a string nor a number nor true or false; claims are compared with nothing else`},
		{"a number that is not exact", env(&policyv1.Claim{Equals: structpb.NewNumberValue(1 << 53)}), `auth.deny[0].claims[0].equals: 9.007199254740992e+15 is no number that claims can be compared with exactly; numbers go to 2^53-1, and larger ones are better strings`},
		{"no number", env(&policyv1.Claim{Equals: structpb.NewNumberValue(math.NaN())}), `auth.deny[0].claims[0].equals: NaN is no number that claims can be compared with exactly; numbers go to 2^53-1, and larger ones are better strings`},
		{"missing and equal", env(&policyv1.Claim{Exists: new(false), Any: text("dev")}), never + `a claim that is not there equals nothing; take exists out, or the other operators`},
		{"missing and none", env(&policyv1.Claim{Exists: new(false), None: text("dev")}), never + `a claim that is not there equals nothing; take exists out, or the other operators`},
		{"all and none", env(&policyv1.Claim{All: text("a", "b"), None: text("b")}), never + `all asks for a value that none refuses; take it out of one of them`},
		{"any within none", env(&policyv1.Claim{Any: text("a"), None: text("a", "b")}), never + `none refuses every value that any asks for; take one of them out`},
		{"equals and none", env(&policyv1.Claim{Equals: text("a")[0], None: text("a")}), never + `equals contradicts any or none; keep one of them`},
		{"equals and any", env(&policyv1.Claim{Equals: text("a")[0], Any: text("b")}), never + `equals contradicts any or none; keep one of them`},
		{"equals and all", env(&policyv1.Claim{Equals: text("a")[0], All: text("a", "b")}), never + `equals contradicts all; keep one of them`},
		{
			"equals and prefix",
			env(&policyv1.Claim{Equals: text("a")[0], Prefix: []string{"b", "aa"}}),
			never + `equals contradicts prefix or suffix; keep one of them`,
		},
		{
			"equals and suffix",
			env(&policyv1.Claim{Equals: text("ab")[0], Prefix: []string{"a"}, Suffix: []string{"a"}}),
			never + `equals contradicts prefix or suffix; keep one of them`,
		},
		{
			"a number and prefix",
			env(&policyv1.Claim{Equals: structpb.NewNumberValue(17), Prefix: []string{"1"}}),
			never + `equals contradicts prefix or suffix; keep one of them`,
		},
		{
			"a beginning with a space, of words",
			env(&policyv1.Claim{Split: policyv1.Split_SPLIT_SPACE.Enum(), Prefix: []string{"a b"}}),
			never + `a string that is split at spaces yields words without spaces; mend the value, or take split out`,
		},
		{
			"missing and prefix",
			env(&policyv1.Claim{Exists: new(false), Prefix: []string{"dev"}}),
			never + `a claim that is not there equals nothing; take exists out, or the other operators`,
		},
		{
			"empty prefix",
			env(&policyv1.Claim{Prefix: []string{""}}),
			`auth.deny[0].claims[0].prefix: an entry is empty; take it out or write what was meant`,
		},
		{
			"too many suffixes",
			env(&policyv1.Claim{Suffix: slices.Repeat([]string{"a"}, 257)}),
			`auth.deny[0].claims[0].suffix: there are 257 values; there must not be more than 256`,
		},
		{
			"subjects that do not begin so",
			deny(
				&policyv1.Rule{
					Name: new("r"),
					User: &policyv1.UserCondition{Subjects: []string{"alice"}, SubjectPrefix: []string{"guest-"}},
				},
			),
			`auth.deny[0].user: it can never hold: subjects contradicts subject_prefix or subject_suffix; keep one of them`,
		},
		{"equals of a split string", env(&policyv1.Claim{Split: policyv1.Split_SPLIT_SPACE.Enum(), Equals: text("a")[0]}), never + `a list equals no single value; say all, or take split out`},
		{"a word with a space", env(&policyv1.Claim{Split: policyv1.Split_SPLIT_SPACE.Enum(), Any: text("a b")}), never + `a string that is split at spaces yields words without spaces; mend the value, or take split out`},
		{"a word that is a number", env(&policyv1.Claim{Split: policyv1.Split_SPLIT_SPACE.Enum(), All: []*structpb.Value{structpb.NewNumberValue(1)}}), never + `a string that is split at spaces yields words without spaces; mend the value, or take split out`},
		{"denied and allowed", auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum(), Allow: []*policyv1.Rule{peersRule("r", "a")}}), `auth: access is denied, but rules are listed that allow; leave access out, or take the rules out`},
		{"nothing about the user", auth(&policyv1.Auth{User: &policyv1.User{}}), `auth.user: nothing is stated about the user; state presence, issuers or scopes, or take it out`},
		{"presence of a later version", auth(&policyv1.Auth{User: &policyv1.User{Presence: new(policyv1.Presence(9))}}), `auth.user.presence: 9 is no level of presence; say PRESENCE_REQUIRED or PRESENCE_OPTIONAL, or leave it out`},
		{"trial of nothing", auth(&policyv1.Auth{DryRun: new(true)}), `auth.dry_run: there is nothing else in this place that could be tried; state it here, or take dry_run out`},
		{"trial of a proof", auth(&policyv1.Auth{DryRun: new(true), Proof: policyv1.Proof_PROOF_CALL.Enum(), Peers: []string{"a"}}), `auth.proof: a proof cannot be tried, because both ends must act on it; state it in another place, such as code, or take it out`},
		{"a rule about users that are not accepted", auth(&policyv1.Auth{
			User: &policyv1.User{Issuers: []string{"https://a"}},
			Deny: []*policyv1.Rule{{Name: new("r"), User: &policyv1.UserCondition{Issuers: []string{"https://b"}}}},
		}), `auth: rule "r" can never hold, because auth.user.issuers (file orders.yaml:12) accepts none of the issuers that it names; mend one of the two`},
		{"too many rules", deny(slices.Repeat([]*policyv1.Rule{peersRule("r", "a")}, 65)...), `auth.deny: there are 65 rules; there must not be more than 64`},
		{"too many values", env(&policyv1.Claim{Any: text(slices.Repeat([]string{"a"}, 257)...)}), `auth.deny[0].claims[0].any: there are 257 values; there must not be more than 256`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.New(file(policies{charge: test.p}))
			var mistake *policy.Mistake
			if !errors.As(err, &mistake) || !slices.Contains(strings.Split(err.Error(), "\n"), "orders.yaml:12: "+charge+": "+test.want) {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// What layers demand together and no caller could fulfil.
func TestRulesThatNobodyFulfils(t *testing.T) {
	issuers := func(names ...string) *policyv1.Policy {
		return auth(&policyv1.Auth{User: &policyv1.User{Issuers: names}})
	}
	byB := allow(&policyv1.Rule{Name: new("r"), User: &policyv1.UserCondition{Issuers: []string{"https://b"}}})
	_, err := policy.New(code(policies{charge: issuers("https://a")}), file(policies{charge: issuers("https://b")}))
	if want := "main.go:31, file orders.yaml:12: " + charge + ": auth.user.issuers: no issuer is listed in all of these places, so no user could call; list a common one"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = policy.New(code(policies{charge: byB}), file(policies{charge: issuers("https://a")}))
	if err == nil || !strings.Contains(err.Error(), "every rule is about users of issuers that auth.user.issuers (file orders.yaml:12) does not accept") {
		t.Errorf("got %v", err)
	}
	also := allow(peersRule("orders", "orders"), byB.GetAuth().GetAllow()[0])
	if _, err := policy.New(code(policies{charge: also}), file(policies{charge: issuers("https://a")})); err != nil {
		t.Errorf("a rule that another layer has made useless beside one that works: %v", err)
	}
}

// How the rules of several places come together.
func TestRulesMerge(t *testing.T) {
	env := rule("no-dev", &policyv1.Claim{Path: []string{"env"}, Any: text("dev")})
	table := newTable(t,
		code(policies{charge: auth(&policyv1.Auth{Deny: []*policyv1.Rule{env}, Allow: []*policyv1.Rule{peersRule("a", "orders"), peersRule("b", "billing")}})}),
		file(policies{
			allPayments: auth(&policyv1.Auth{Deny: []*policyv1.Rule{env, peersRule("no-test", "test")}, User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}}),
			charge:      auth(&policyv1.Auth{Allow: []*policyv1.Rule{peersRule("b", "billing"), peersRule("a", "orders")}, User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_OPTIONAL.Enum()}}),
		}))
	m := method(t, table, charge)
	if got := len(m.Auth.Deny); got != 2 {
		t.Errorf("%d deny rules, want the union of 2: %v", got, m.Auth.Deny)
	}
	if got := len(m.Auth.Allow); got != 1 {
		t.Errorf("%d lists of allow rules, want 1, because both are the same", got)
	}
	if m.Auth.User.Presence.Value != policy.PresenceRequired {
		t.Errorf("the user is %v, want required", m.Auth.User.Presence)
	}
	narrower := newTable(t, code(policies{charge: allow(peersRule("a", "orders"))}), file(policies{charge: allow(peersRule("a", "billing"))}))
	if got := len(method(t, narrower, charge).Auth.Allow); got != 2 {
		t.Errorf("%d lists of allow rules, want 2, of each of which one must hold", got)
	}
}

// What a place states for trial stands apart, and never touches what is in force.
func TestTrialStandsApart(t *testing.T) {
	trial := &policyv1.Auth{
		DryRun: new(true), Access: policyv1.Access_ACCESS_DENIED.Enum(), Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum(),
		Deny: []*policyv1.Rule{peersRule("no-test", "test")}, User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()},
	}
	without := method(t, policy.FromProto(), charge)
	with := method(t, newTable(t, file(policies{charge: auth(trial)})), charge)
	if with.Auth.Access != without.Auth.Access || len(with.Auth.Deny) != 0 || with.Auth.User.Stated() || with.Auth.Carrier.Stated() {
		t.Errorf("the trial is in force: %v", with)
	}
	if with.Trial.Access.Value != policy.AccessDenied || len(with.Trial.Deny) != 1 || !with.Trial.User.Stated() {
		t.Errorf("the trial was lost: %v", with)
	}
	if m := method(t, newTable(t, file(policies{"/grpc.health.v1.Health/*": auth(trial)})), "/grpc.health.v1.Health/Check"); m.Auth.Access.Stated() {
		t.Errorf("a trial decided: %v", m)
	}
}

// A rule without access asks for a proven caller; a demand for a user says nothing about the caller, and neither does
// deny.
func TestAccessThatRulesImply(t *testing.T) {
	health := "/grpc.health.v1.Health/Check"
	for name, test := range map[string]struct {
		p    *policyv1.Policy
		want policy.Access
	}{
		"allow":               {allow(peersRule("r", "a")), policy.AccessAuthenticated},
		"anonymous and allow": {auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(), Allow: []*policyv1.Rule{peersRule("r", "a")}}), policy.AccessAnonymous},
		"deny":                {deny(peersRule("r", "a")), policy.AccessUnspecified},
		"user":                {auth(&policyv1.Auth{User: &policyv1.User{Scopes: []string{"s"}}}), policy.AccessUnspecified},
	} {
		if got := method(t, newTable(t, file(policies{health: test.p})), health).Auth.Access.Value; got != test.want {
			t.Errorf("%s: access is %v, want %v", name, got, test.want)
		}
	}
}

func TestDescribeRules(t *testing.T) {
	number := structpb.NewNumberValue(2)
	table := newTable(t,
		code(policies{charge: auth(&policyv1.Auth{
			Deny: []*policyv1.Rule{
				rule("no-dev", &policyv1.Claim{Path: []string{"env"}, Any: text("dev", "test")}),
				rule("env-stated", &policyv1.Claim{Path: []string{"env"}, Exists: new(false)}),
				rule("no-odd", &policyv1.Claim{Path: []string{"realm.access", "level"}, None: []*structpb.Value{number}}),
			},
			Allow: []*policyv1.Rule{
				{Name: new("checkout"), Peers: []string{"orders"}, User: &policyv1.UserCondition{
					Issuers: []string{"https://login.example"}, Subjects: []string{"alice"}, Scopes: []string{"pay", "buy"},
					Claims: []*policyv1.Claim{{Path: []string{"mfa"}, Equals: structpb.NewBoolValue(true)}},
				}},
				{Name: new("batch"), Audiences: []string{"spiffe://shop.example/payments"}, Predicates: []string{"at-night"}, Claims: []*policyv1.Claim{
					{Path: []string{"scp"}, Split: policyv1.Split_SPLIT_SPACE.Enum(), All: text("a", "b")},
				}},
			},
			User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Issuers: []string{"https://login.example"}, Scopes: []string{"buy"}},
		})}),
		file(policies{charge: auth(&policyv1.Auth{DryRun: new(true), Deny: []*policyv1.Rule{peersRule("no-billing", "billing")}})}))
	var got bytes.Buffer
	if err := method(t, table, charge).Describe(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/rules.txt", got.Bytes())
}

// A deny rule about a claim lets pass who has no such claim. That is said, unless another rule sees to it.
func TestWarnings(t *testing.T) {
	dev := rule("no-dev", &policyv1.Claim{Path: []string{"env"}, Any: text("dev")})
	stated := rule("env-stated", &policyv1.Claim{Path: []string{"env"}, Exists: new(false)})
	narrow := &policyv1.Rule{Name: new("env-stated"), Peers: []string{"orders"}, Claims: stated.GetClaims()}
	user := &policyv1.Rule{Name: new("user-env"), User: &policyv1.UserCondition{Claims: stated.GetClaims()}}
	for name, test := range map[string]struct {
		rules []*policyv1.Rule
		want  int
	}{
		"deny a value":                               {[]*policyv1.Rule{dev}, 1},
		"and the missing claim":                      {[]*policyv1.Rule{dev, stated}, 0},
		"and the missing claim of some callers":      {[]*policyv1.Rule{dev, narrow}, 1},
		"and the missing claim of users":             {[]*policyv1.Rule{dev, user}, 1},
		"deny the missing claim":                     {[]*policyv1.Rule{stated}, 0},
		"deny a caller":                              {[]*policyv1.Rule{peersRule("no-test", "test")}, 0},
		"deny a claim that exists, whatever it says": {[]*policyv1.Rule{rule("r", &policyv1.Claim{Path: []string{"act"}, Exists: new(true)})}, 0},
	} {
		warnings := method(t, newTable(t, file(policies{charge: deny(test.rules...)})), charge).Warnings()
		if len(warnings) != test.want {
			t.Errorf("%s: %d warnings, want %d: %v", name, len(warnings), test.want, warnings)
		}
	}
	warnings := method(t, newTable(t, file(policies{charge: deny(dev)})), charge).Warnings()
	want := "orders.yaml:12: " + charge + `: auth.deny: rule "no-dev" lets pass every token without claim env; if that is not meant, add a deny rule about it with exists: false`
	if len(warnings) != 1 || warnings[0].Error() != want {
		t.Errorf("got %v, want %s", warnings, want)
	}
	if allowed := method(t, newTable(t, file(policies{charge: allow(dev)})), charge).Warnings(); len(allowed) != 0 {
		t.Errorf("an allow rule warns: %v", allowed)
	}
}
