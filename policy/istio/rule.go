package istio

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// rule is a rule of an AuthorizationPolicy, compiled for one trust domain and, without the paths and methods in to, for
// one method.
type rule struct {
	origin   *origin
	from, to [][]condition
	when     []condition
}

// origin is where a rule is stated. What is said of it is made when it is asked for, because most rules of a mesh never
// decide.
type origin struct {
	policy    *authorization
	stated    *statedRule
	objection atomic.Pointer[policy.Objection]
}

func (o *origin) name() string {
	return o.policy.object.namespace + "/" + o.policy.object.name + " " + o.stated.path
}

// text is what the rule states, for explanations.
func (o *origin) text() string { return o.name() + ": " + o.stated.String() }

// denies is the objection of a rule that denies.
func (o *origin) denies() *policy.Objection {
	if made := o.objection.Load(); made != nil {
		return made
	}
	o.objection.CompareAndSwap(nil, &policy.Objection{Why: "denied by rule", Rule: o.name(), Source: o.source()})
	return o.objection.Load()
}

func (o *origin) source() policy.Source {
	return policy.Source{Kind: policy.KindFile, Place: o.policy.object.placeOf(o.stated.path)}
}

// condition is a statedCondition, compiled.
type condition struct {
	subject
	words       wordIssuers // in whose tokens a string is a list of words
	values, not alternatives
}

// alternatives are values of which one must match. Which list counts is a matter of the attribute.
type alternatives struct {
	stated   bool
	patterns []pattern
	accounts []account
	users    []userPattern
	blocks   []netip.Prefix
	ports    []uint16
}

// compiler compiles conditions of one policy.
type compiler struct {
	domains   []string // the names of the trust domain, the present one first
	namespace string   // of the policy
	words     wordClaims
}

func (c *compiler) conditions(stated []statedCondition) []condition {
	conditions := make([]condition, 0, len(stated))
	for _, s := range stated {
		conditions = append(conditions, condition{
			subject: s.subject,
			words:   c.words.of(s.claim),
			values:  c.alternatives(s.subject, s.values),
			not:     c.alternatives(s.subject, s.not),
		})
	}
	return conditions
}

func (c *compiler) alternatives(of subject, values []string) alternatives {
	a := alternatives{stated: len(values) > 0}
	switch of.attribute { //nolint:exhaustive // the others name no trust domain
	case attributePrincipal:
		values = inDomains(values, c.domains)
	case attributeTrustDomain:
		values = withAliases(values, c.domains)
	}
	for _, value := range values {
		switch of.attribute {
		case attributePrincipal:
			a.patterns = append(a.patterns, readPrincipal(value))
		case attributeNamespace:
			a.patterns = append(a.patterns, readNamespace(value))
		case attributeAccount:
			a.accounts = append(a.accounts, c.account(value))
		case attributeTrustDomain:
			a.patterns = append(a.patterns, pattern{kind: matchGlob, text: value})
		case attributeUser:
			a.users = append(a.users, readUserPattern(value))
		case attributeSourceIP, attributeRemoteIP, attributeDestinationIP:
			block, _ := readPrefix(value) // checked before
			a.blocks = append(a.blocks, block)
		case attributePort:
			port, _ := strconv.ParseUint(value, 10, 16) // checked before
			a.ports = append(a.ports, uint16(port))
		case attributeHost:
			a.patterns = append(a.patterns, readHostPattern(value))
		case attributeHeader, attributeMethod:
			a.patterns = append(a.patterns, readHeaderPattern(value))
		case attributePath:
			a.patterns = append(a.patterns, readPath(value))
		case attributeClaim:
			a.patterns = append(a.patterns, readPattern(value))
		case attributeUnknown, attributeSNI, attributeFilter, attributeInlineHeader: // refused before
		}
	}
	return a
}

// readPrincipal reads a pattern for an ID without its scheme.
func readPrincipal(value string) pattern {
	p := readPattern(value)
	switch p.kind { //nolint:exhaustive // the others match as they stand
	case matchExact, matchPrefix:
		p.text = principal.Scheme + p.text
	case matchSuffix:
		p.kind = matchIDSuffix
	}
	return p
}

// readNamespace reads a pattern for the namespace in an ID.
func readNamespace(value string) pattern {
	if !strings.Contains(value, "*") {
		return pattern{kind: matchInside, text: "/ns/" + value + "/"}
	}
	return pattern{kind: matchGlob, text: "*/ns/" + value + "/*"}
}

func (c *compiler) account(value string) account {
	namespace, name, ok := strings.Cut(value, "/")
	if !ok {
		namespace, name = c.namespace, value
	}
	return account{namespace, name}
}

// forCaller is what is left of the rule for one caller. It reports false where no call of the caller matches.
func (r *rule) forCaller(ctx context.Context, f *facts) (rule, bool) {
	left := *r
	var ok bool
	if left.when, ok = conditionsLeft(ctx, r.when, f); !ok {
		return rule{}, false
	}
	left.from = nil
	for _, conditions := range r.from {
		rest, ok := conditionsLeft(ctx, conditions, f)
		switch {
		case !ok:
		case len(rest) == 0:
			left.from = nil
			return left, true
		default:
			left.from = append(left.from, rest)
		}
	}
	return left, len(left.from) > 0 || len(r.from) == 0
}

// conditionsLeft leaves out the conditions on the caller's ID. It reports false where one of them does not hold.
func conditionsLeft(ctx context.Context, conditions []condition, f *facts) ([]condition, bool) {
	var left []condition
	for i := range conditions {
		switch conditions[i].attribute { //nolint:exhaustive // the others are about more than the ID
		case attributePrincipal, attributeNamespace, attributeAccount, attributeTrustDomain:
			if !conditions[i].holds(ctx, f) {
				return nil, false
			}
		default:
			left = append(left, conditions[i])
		}
	}
	return left, true
}

// holds reports whether the rule matches a call.
func (r *rule) holds(ctx context.Context, f *facts) bool {
	return allHold(ctx, r.when, f) && oneHolds(ctx, r.from, f) && oneHolds(ctx, r.to, f)
}

// oneHolds reports whether one of the lists holds. No list at all holds.
func oneHolds(ctx context.Context, lists [][]condition, f *facts) bool {
	for _, conditions := range lists {
		if allHold(ctx, conditions, f) {
			return true
		}
	}
	return len(lists) == 0
}

func allHold(ctx context.Context, conditions []condition, f *facts) bool {
	for i := range conditions {
		if !conditions[i].holds(ctx, f) {
			return false
		}
	}
	return true
}

// holds reports whether the subject has one of the values and none of those that it must not have. What cannot be
// known counts against the caller.
func (c *condition) holds(ctx context.Context, f *facts) bool {
	if !f.knows(ctx, c.attribute) {
		return f.denies
	}
	return (!c.values.stated || c.one(ctx, &c.values, f)) && (!c.not.stated || !c.one(ctx, &c.not, f))
}

// one reports whether one of the alternatives matches. What the call does not have matches none.
func (c *condition) one(ctx context.Context, a *alternatives, f *facts) bool {
	switch c.attribute {
	case attributePrincipal, attributeNamespace:
		return f.id != "" && anyMatches(a.patterns, f.id)
	case attributeTrustDomain:
		return f.id != "" && anyMatches(a.patterns, f.call.Peer.ID.TrustDomain().String())
	case attributeAccount:
		return f.id != "" && anyAccount(a.accounts, f.id)
	case attributeUser:
		return f.call.User != nil && anyUser(a.users, f.call.User)
	case attributeClaim:
		return f.call.User != nil &&
			anyClaim(a.patterns, f.call.User.Claims.Lookup(c.claim), c.words.split(f.call.User.Issuer))
	case attributeSourceIP, attributeRemoteIP:
		return anyContains(a.blocks, f.remote.Addr())
	case attributeDestinationIP:
		return anyContains(a.blocks, f.local.Addr())
	case attributePort:
		return slices.Contains(a.ports, f.local.Port())
	case attributeHost:
		return f.headerMatches(ctx, headerAuthority, a.patterns)
	case attributeHeader:
		return f.headerMatches(ctx, c.header, a.patterns)
	case attributeMethod:
		return anyMatches(a.patterns, httpMethod)
	case attributePath:
		return anyMatches(a.patterns, pathOf(f.call.Method))
	case attributeUnknown, attributeSNI, attributeFilter, attributeInlineHeader: // refused before
	}
	return f.denies
}

func anyAccount(accounts []account, id string) bool {
	for i := range accounts {
		if accounts[i].matches(id) {
			return true
		}
	}
	return false
}

// anyUser compares iss and sub of the token, also where the configuration takes another claim for the user's name.
func anyUser(users []userPattern, u *principal.User) bool {
	issuer, hasIssuer := u.Claims.String("iss")
	subject, hasSubject := u.Claims.String("sub")
	if !hasIssuer || !hasSubject {
		return false
	}
	for i := range users {
		if users[i].issuer.matches(issuer) && users[i].subject.matches(subject) {
			return true
		}
	}
	return false
}

// anyClaim compares a claim that is a string, and the strings of one that is a list. Numbers and booleans match
// nothing.
func anyClaim[V policy.ClaimValue[V]](patterns []pattern, value V, split bool) bool {
	if value.IsList() {
		for first, rest, ok := value.Element(); ok; first, rest, ok = rest.Element() {
			if text, isText := first.String(); isText && anyMatches(patterns, text) {
				return true
			}
		}
		return false
	}
	text, isText := value.String()
	if !isText {
		return false
	}
	if !split {
		return anyMatches(patterns, text)
	}
	empty := true
	for word := range strings.SplitSeq(text, " ") {
		if word == "" {
			continue
		}
		if empty = false; anyMatches(patterns, word) {
			return true
		}
	}
	return empty && anyMatches(patterns, text) // Envoy leaves a text without words as it is
}
