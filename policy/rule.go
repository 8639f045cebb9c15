package policy

import (
	"slices"
	"strconv"
	"strings"
)

// Rule is a condition on a call. Everything that it states must hold, and it states something. Peers, audiences, issuers
// and scopes are not interpreted here. Its slices are shared and must not be changed.
type Rule struct {
	// Name tells the rule from the others of its place.
	Name string
	// Source is where the rule is stated.
	Source Source
	// Peers are the workloads of which the caller must be one. None: any caller.
	Peers []string
	// Audiences are those of which the caller's credential must have been made for one. None: any.
	Audiences []string
	// Scopes are those that the caller's token must carry, all of them, sorted.
	Scopes []string
	// Claims are the conditions on the claims of the caller's token.
	Claims []Claim
	// User is the condition on the end user; nil: none, and there need be no user.
	User *UserCondition
	// Predicates are the names of conditions that the program gives a meaning to.
	Predicates []string
}

// UserCondition is a condition on the end user of a call. Everything that it states must hold.
type UserCondition struct {
	// Issuers are those of which one must vouch for the user. None: any.
	Issuers []string
	// Subjects are those of which the user must be one. None: any.
	Subjects []string
	// Scopes are those that the user's token must carry, all of them, sorted.
	Scopes []string
	// Claims are the conditions on the claims of the user's token.
	Claims []Claim
}

// Claim is a condition on one claim. Everything that it states must hold. On a claim that is missing or null nothing
// holds but Exists, if it is false.
type Claim struct {
	// Path leads to the claim through objects. It is not empty.
	Path []string
	// SplitSpace tells that a string is a list of words.
	SplitSpace bool
	// Any are the values of which the claim, or an element of its list, must be one. None: not asked.
	Any []Scalar
	// All are the values that must be elements of the claim's list, or the claim itself.
	All []Scalar
	// None are the values that must neither be the claim nor an element of its list.
	None []Scalar
	// Equals is the value that the claim must be, and not as a list. Nil: not asked.
	Equals *Scalar
	// Exists tells whether the claim must be there. Nil: not asked.
	Exists *bool
}

// Scalar is a typed value. Two of them are the same value exactly when they are equal.
type Scalar struct {
	// Kind is the type of the value.
	Kind ScalarKind
	// Text is the value of a string.
	Text string
	// Number is the value of a number.
	Number float64
	// Bool is the value of a boolean.
	Bool bool
}

// ScalarKind is the type of a [Scalar].
type ScalarKind int

// The types.
const (
	// A string.
	ScalarString ScalarKind = iota
	// A number.
	ScalarNumber
	// A boolean.
	ScalarBool
)

// String is the value as JSON writes it.
func (s Scalar) String() string {
	switch s.Kind {
	case ScalarNumber:
		return strconv.FormatFloat(s.Number, 'g', -1, 64)
	case ScalarBool:
		return strconv.FormatBool(s.Bool)
	case ScalarString:
	}
	return quote(s.Text)
}

// String is the rule in one line: "staff: peers a, b; user acr equals "mfa"".
func (r Rule) String() string { return r.Name + ": " + r.condition() }

// condition is what the rule demands, without its name and place. Two rules that demand the same have the same condition.
func (r Rule) condition() string {
	var parts []string
	parts = appendWords(parts, "peers", r.Peers)
	parts = appendWords(parts, "audiences", r.Audiences)
	parts = appendWords(parts, "scopes", r.Scopes)
	for _, c := range r.Claims {
		parts = append(parts, "claim "+c.String())
	}
	if u := r.User; u != nil {
		parts = append(parts, "user")
		parts = appendWords(parts, "user issuers", u.Issuers)
		parts = appendWords(parts, "user subjects", u.Subjects)
		parts = appendWords(parts, "user scopes", u.Scopes)
		for _, c := range u.Claims {
			parts = append(parts, "user claim "+c.String())
		}
	}
	parts = appendWords(parts, "predicates", r.Predicates)
	return strings.Join(parts, "; ")
}

func appendWords(parts []string, what string, words []string) []string {
	if len(words) == 0 {
		return parts
	}
	return append(parts, what+" "+strings.Join(quoted(words), ", "))
}

func quoted(words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		if all[i] = word; !plainWord(word) {
			all[i] = quote(word)
		}
	}
	return all
}

// plainWord tells whether a word reads the same without quotes.
func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ',' || r == ';' || r == '"' })
}

// String is the condition in words: "env any "dev", "test"".
func (c Claim) String() string {
	text := strings.Join(quoted(c.Path), ">")
	if c.SplitSpace {
		text += " split at spaces"
	}
	for _, op := range []struct {
		name   string
		values []Scalar
	}{{"any", c.Any}, {"all", c.All}, {"none", c.None}} {
		if len(op.values) == 0 {
			continue
		}
		text += " " + op.name
		for i, value := range op.values {
			if i > 0 {
				text += ","
			}
			text += " " + value.String()
		}
	}
	if c.Equals != nil {
		text += " equals " + c.Equals.String()
	}
	if c.Exists != nil {
		text += " exists " + strconv.FormatBool(*c.Exists)
	}
	return text
}

// sameRule tells whether two rules are the same but for their places.
func sameRule(a, b Rule) bool { return a.Name == b.Name && a.condition() == b.condition() }

// everyRule holds every rule of a and b once.
func everyRule(a, b []Rule) []Rule {
	all := slices.Clone(a)
	for _, rule := range b {
		if !slices.ContainsFunc(all, func(known Rule) bool { return sameRule(known, rule) }) {
			all = append(all, rule)
		}
	}
	return all
}

// everyRuleList holds every list of a and b once. Lists are alike when they hold the same rules in any order.
func everyRuleList(a, b []Value[[]Rule]) []Value[[]Rule] {
	all := slices.Clone(a)
	for _, list := range b {
		if !slices.ContainsFunc(all, func(known Value[[]Rule]) bool { return sameRules(known.Value, list.Value) }) {
			all = append(all, list)
		}
	}
	return all
}

func sameRules(a, b []Rule) bool {
	return len(everyRule(a, b)) == len(a) && len(everyRule(b, a)) == len(b)
}
