package policy

import (
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// rules reads a list of rules. A rule with a mistake is kept as far as it was understood: the mistake refuses its methods.
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
		Audiences:  r.words(field+".audiences", stated.GetAudiences()),
		Scopes:     r.scopes(field+".scopes", stated.GetScopes()),
		Claims:     r.claims(field+".claims", stated.GetClaims()),
		User:       r.userCondition(field+".user", stated.GetUser()),
		Predicates: r.words(field+".predicates", stated.GetPredicates()),
	}
	switch {
	case rule.Name == "":
		r.wrong(field+".name", "it is missing; give the rule a name, under which the log tells of it")
	case !ruleName(rule.Name):
		r.wrong(field+".name", "%s is no name; use at most %d letters, digits, \".\", \"_\" and \"-\"", quote(rule.Name), maxRuleName)
	}
	if rule.condition() == "" {
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

// scopes reads a set of scopes.
func (r *reader) scopes(field string, stated []string) []string {
	return sortedSet(r.words(field, stated))
}

func (r *reader) claims(field string, stated []*policyv1.Claim) []Claim {
	var claims []Claim
	for i, claim := range stated {
		claims = append(claims, r.claim(field+"["+strconv.Itoa(i)+"]", claim))
	}
	return claims
}

func (r *reader) claim(field string, stated *policyv1.Claim) Claim {
	c := Claim{
		Path: r.words(field+".path", stated.GetPath()),
		Any:  r.scalars(field+".any", stated.GetAny()),
		All:  r.scalars(field+".all", stated.GetAll()),
		None: r.scalars(field+".none", stated.GetNone()),
	}
	switch stated.GetSplit() {
	case policyv1.Split_SPLIT_UNSPECIFIED:
	case policyv1.Split_SPLIT_SPACE:
		c.SplitSpace = true
	default:
		r.wrong(field+".split", "%d is no way to split; say SPLIT_SPACE, or leave it out", int32(stated.GetSplit()))
	}
	if equals := stated.GetEquals(); equals != nil {
		value := r.scalar(field+".equals", equals)
		c.Equals = &value
	}
	if stated != nil && stated.Exists != nil {
		c.Exists = new(stated.GetExists())
	}
	switch {
	case len(c.Path) == 0:
		r.wrong(field+".path", "it is empty; name the claim, as a list of names that leads to it")
	case len(c.Path) > maxClaimPath:
		r.wrong(field+".path", "it has %d names; claims are looked for at most %d deep", len(c.Path), maxClaimPath)
	}
	if c.asksNothing() {
		r.wrong(field, "no operator is stated; state any, all, none, equals or exists")
	}
	if problem := c.neverHolds(); problem != "" {
		r.wrong(field, "it can never hold: %s", problem)
	}
	return c
}

func (c Claim) asksNothing() bool {
	return len(c.Any)+len(c.All)+len(c.None) == 0 && c.Equals == nil && c.Exists == nil
}

// neverHolds says why no claim can fulfil the condition, or "".
func (c Claim) neverHolds() string {
	compared := len(c.Any)+len(c.All)+len(c.None) > 0 || c.Equals != nil
	refused := func(value Scalar) bool { return slices.Contains(c.None, value) }
	switch {
	case c.Exists != nil && !*c.Exists && compared:
		return "a claim that is not there equals nothing; take exists out, or the other operators"
	case c.SplitSpace && slices.ContainsFunc(slices.Concat(c.Any, c.All), Scalar.unsplittable):
		return "a string that is split at spaces yields words without spaces; mend the value, or take split out"
	case c.SplitSpace && c.Equals != nil:
		return "a list equals no single value; say all, or take split out"
	case c.Equals != nil && (refused(*c.Equals) || len(c.Any) > 0 && !slices.Contains(c.Any, *c.Equals)):
		return "equals contradicts any or none; keep one of them"
	case c.Equals != nil && slices.ContainsFunc(c.All, func(value Scalar) bool { return value != *c.Equals }):
		return "equals contradicts all; keep one of them"
	case slices.ContainsFunc(c.All, refused):
		return "all asks for a value that none refuses; take it out of one of them"
	case len(c.Any) > 0 && !slices.ContainsFunc(c.Any, func(value Scalar) bool { return !refused(value) }):
		return "none refuses every value that any asks for; take one of them out"
	}
	return ""
}

// unsplittable tells whether no word of a split string is the value.
func (s Scalar) unsplittable() bool {
	return s.Kind != ScalarString || s.Text == "" || slices.Contains([]byte(s.Text), ' ')
}

func (r *reader) scalars(field string, stated []*structpb.Value) []Scalar {
	if len(stated) > maxRuleValues {
		r.wrong(field, "there are %d values; there must not be more than %d", len(stated), maxRuleValues)
		return nil
	}
	var values []Scalar
	for i, value := range stated {
		values = append(values, r.scalar(field+"["+strconv.Itoa(i)+"]", value))
	}
	return values
}

func (r *reader) scalar(field string, stated *structpb.Value) Scalar {
	switch value := stated.GetKind().(type) {
	case *structpb.Value_StringValue:
		return Scalar{Kind: ScalarString, Text: value.StringValue}
	case *structpb.Value_BoolValue:
		return Scalar{Kind: ScalarBool, Bool: value.BoolValue}
	case *structpb.Value_NumberValue:
		n := value.NumberValue
		if math.IsNaN(n) || math.Abs(n) > maxExactNumber {
			r.wrong(field, "%s is no number that claims can be compared with exactly; numbers go to 2^53-1, and larger ones are better strings",
				strconv.FormatFloat(n, 'g', -1, 64))
		}
		return Scalar{Kind: ScalarNumber, Number: n}
	default:
		r.wrong(field, "it is neither a string nor a number nor true or false; claims are compared with nothing else")
		return Scalar{}
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
		r.wrong("auth.user.presence", "%d is no level of presence; say PRESENCE_REQUIRED or PRESENCE_OPTIONAL, or leave it out", int32(u.GetPresence()))
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
