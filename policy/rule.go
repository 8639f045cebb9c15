package policy

import (
	"slices"
	"strconv"
	"strings"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// Rule is a condition on a call. Everything that it states must hold, and it states something. Peers, audiences,
// issuers and scopes are not interpreted here. Its slices are shared and must not be changed.
type Rule struct {
	// Name is unique among the rules of one place.
	Name string
	// Source is where the rule is stated.
	Source Source
	// Peers are the workloads of which the caller must be one. None: any caller.
	Peers []string
	// Audiences are the audiences for one of which the caller's credential must have been made. None: any.
	Audiences []string
	// Scopes are the scopes that the caller's token must carry, all of them, sorted.
	Scopes []string
	// Claims are the conditions on the claims of the caller's token.
	Claims []Claim
	// User is the condition on the end user; nil: none, and there need be no user.
	User *UserCondition
	// Predicates are the names of conditions that the program gives a meaning to.
	Predicates []string
}

// isEmpty reports whether the rule states no condition.
func (r Rule) isEmpty() bool {
	return len(r.Peers)+len(r.Audiences)+len(r.Scopes)+len(r.Claims)+len(r.Predicates) == 0 && r.User == nil
}

// same reports whether two rules state the same, wherever they are stated. Rules are compared value by value, never by
// their text: two rules that print alike would become one, and what the other denies would pass.
func (r *Rule) same(other *Rule) bool {
	return r.Name == other.Name &&
		slices.Equal(r.Peers, other.Peers) &&
		slices.Equal(r.Audiences, other.Audiences) &&
		slices.Equal(r.Scopes, other.Scopes) &&
		sameClaims(r.Claims, other.Claims) &&
		r.User.same(other.User) &&
		slices.Equal(r.Predicates, other.Predicates)
}

// rules reads a list of rules. A rule with a mistake is kept as far as it was understood: the mistake refuses its
// methods.
func (r *reader) rules(field string, stated []*policyv1.Rule) []Rule {
	if len(stated) > maxRules {
		r.wrong(field, "there are %d rules; there must not be more than %d", len(stated), maxRules)
		return nil
	}
	var rules []Rule
	for i, rule := range stated {
		rules = append(rules, r.rule(field+"["+strconv.Itoa(i)+"]", rule))
	}
	return rules
}

func (r *reader) rule(field string, stated *policyv1.Rule) Rule {
	rule := Rule{
		Name: stated.GetName(), Source: r.source,
		Peers:      r.words(field+".peers", stated.GetPeers()),
		Audiences:  r.literals(field+".audiences", nameEach, stated.GetAudiences()),
		Scopes:     r.scopes(field+".scopes", stated.GetScopes()),
		Claims:     r.claims(field+".claims", stated.GetClaims()),
		User:       r.userCondition(field+".user", stated.GetUser()),
		Predicates: r.words(field+".predicates", stated.GetPredicates()),
	}
	switch {
	case rule.Name == "":
		r.wrong(field+".name", "it is missing; give the rule a name, under which the log reports it")
	case !ruleName(rule.Name):
		r.wrong(field+".name", "%s is no name; use at most %d letters, digits, \".\", \"_\" and \"-\"", quote(rule.Name),
			maxRuleName)
	}
	if rule.isEmpty() {
		r.wrong(field, "the rule states no condition; state one, or say who may call with access")
	}
	return rule
}

func ruleName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return len(name) <= maxRuleName
}

// names reports names that several rules of one place have.
func (r *reader) names(field string, lists ...[]Rule) {
	seen := map[string]bool{}
	for _, rule := range slices.Concat(lists...) {
		if rule.Name != "" && seen[rule.Name] {
			r.wrong(field, "two rules are called %s; give each a name of its own", quote(rule.Name))
		}
		seen[rule.Name] = true
	}
}

// String is the rule in one line: "staff: peers a, b; user claim acr equals "mfa"".
func (r Rule) String() string { return r.Name + ": " + r.condition() }

// condition is what the rule demands, in words, without its name and place.
func (r Rule) condition() string {
	var parts []string
	parts = appendWords(parts, "peers", r.Peers)
	parts = appendWords(parts, "audiences", r.Audiences)
	parts = appendWords(parts, "scopes", r.Scopes)
	for _, c := range r.Claims {
		parts = append(parts, "claim "+c.String())
	}
	if r.User != nil {
		parts = append(parts, r.User.words()...)
	}
	parts = appendWords(parts, "predicates", r.Predicates)
	return strings.Join(parts, "; ")
}

// everyRule holds every rule of a and b once.
func everyRule(a, b []Rule) []Rule {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Clone(a)
	for i := range b {
		if !hasRule(all, &b[i]) {
			all = append(all, b[i])
		}
	}
	return all
}

// hasRule reports whether one of the rules states the same as another one.
func hasRule(rules []Rule, other *Rule) bool {
	for i := range rules {
		if rules[i].same(other) {
			return true
		}
	}
	return false
}

// everyRuleList holds every list of a and b once. Lists are alike when they hold the same rules in any order.
func everyRuleList(a, b []Value[[]Rule]) []Value[[]Rule] {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Clone(a)
	for _, list := range b {
		if !slices.ContainsFunc(all, func(known Value[[]Rule]) bool { return sameRules(known.Value, list.Value) }) {
			all = append(all, list)
		}
	}
	return all
}

func sameRules(a, b []Rule) bool { return hasRules(a, b) && hasRules(b, a) }

// hasRules reports whether rules has each of the others.
func hasRules(rules, others []Rule) bool {
	for i := range others {
		if !hasRule(rules, &others[i]) {
			return false
		}
	}
	return true
}
