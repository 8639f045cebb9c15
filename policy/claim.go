package policy

import (
	"slices"
	"strconv"
	"strings"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// Claim is a condition on one claim. Everything that it states must hold. On a claim that is missing or null only
// Exists holds, and only when it is false. [Holds] judges a claim.
type Claim struct {
	// Path leads to the claim through objects. It is not empty.
	Path []string
	// SplitSpace says that a string is a list of words.
	SplitSpace bool
	// Any are the values of which the claim, or an element of its list, must be one. None: not asked.
	Any []Scalar
	// All are the values that must be elements of the claim's list, or the claim itself.
	All []Scalar
	// None are the values that must neither be the claim nor an element of its list.
	None []Scalar
	// Equals is the value that the claim must be, and not as a list. Nil: not asked.
	Equals *Scalar
	// Exists says whether the claim must be there. Nil: not asked.
	Exists *bool
	// Prefix are the texts with one of which the claim, or an element of its list, must begin. None: not asked.
	Prefix []string
	// Suffix are the texts with one of which the claim, or an element of its list, must end. None: not asked.
	Suffix []string
}

// compares reports whether the condition asks for more than the presence of the claim.
func (c Claim) compares() bool {
	return len(c.Any)+len(c.All)+len(c.None)+len(c.Prefix)+len(c.Suffix) > 0 || c.Equals != nil
}

// same reports whether two conditions state the same, value by value.
func (c Claim) same(other Claim) bool {
	return slices.Equal(c.Path, other.Path) &&
		c.SplitSpace == other.SplitSpace &&
		slices.Equal(c.Any, other.Any) &&
		slices.Equal(c.All, other.All) &&
		slices.Equal(c.None, other.None) &&
		samePointed(c.Equals, other.Equals) &&
		samePointed(c.Exists, other.Exists) &&
		slices.Equal(c.Prefix, other.Prefix) &&
		slices.Equal(c.Suffix, other.Suffix)
}

func samePointed[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func sameClaims(a, b []Claim) bool { return slices.EqualFunc(a, b, Claim.same) }

func (r *reader) claims(field string, stated []*policyv1.Claim) []Claim {
	var claims []Claim
	for i, claim := range stated {
		claims = append(claims, r.claim(field+"["+strconv.Itoa(i)+"]", claim))
	}
	return claims
}

func (r *reader) claim(field string, stated *policyv1.Claim) Claim {
	c := Claim{
		Path:   r.literals(field+".path", nameEach, stated.GetPath()),
		Any:    r.scalars(field+".any", stated.GetAny()),
		All:    r.scalars(field+".all", stated.GetAll()),
		None:   r.scalars(field+".none", stated.GetNone()),
		Prefix: r.affixes(field+".prefix", stated.GetPrefix()),
		Suffix: r.affixes(field+".suffix", stated.GetSuffix()),
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
	if !c.compares() && c.Exists == nil {
		r.wrong(field, "no operator is stated; state any, all, none, equals, prefix, suffix or exists")
	}
	if problem := c.neverHolds(); problem != "" {
		r.wrong(field, "it can never hold: %s", problem)
	}
	return c
}

// neverHolds says why no claim can meet the condition, or "".
func (c Claim) neverHolds() string {
	refused := func(value Scalar) bool { return slices.Contains(c.None, value) }
	switch {
	case c.wantsAbsence() && c.compares():
		return "a claim that is not there equals nothing; take exists out, or the other operators"
	case c.SplitSpace && (slices.ContainsFunc(slices.Concat(c.Any, c.All), Scalar.unsplittable) ||
		slices.ContainsFunc(slices.Concat(c.Prefix, c.Suffix), hasSpace)):
		return "a string that is split at spaces yields words without spaces; mend the value, or take split out"
	case c.SplitSpace && c.Equals != nil:
		return "a list equals no single value; say all, or take split out"
	case c.Equals != nil && (refused(*c.Equals) || len(c.Any) > 0 && !slices.Contains(c.Any, *c.Equals)):
		return "equals contradicts any or none; keep one of them"
	case c.Equals != nil && slices.ContainsFunc(c.All, func(value Scalar) bool { return value != *c.Equals }):
		return "equals contradicts all; keep one of them"
	case c.Equals != nil && !c.Equals.hasAffixes(c.Prefix, c.Suffix):
		return "equals contradicts prefix or suffix; keep one of them"
	case slices.ContainsFunc(c.All, refused):
		return "all asks for a value that none refuses; take it out of one of them"
	case len(c.Any) > 0 && !slices.ContainsFunc(c.Any, func(value Scalar) bool { return !refused(value) }):
		return "none refuses every value that any asks for; take one of them out"
	}
	return ""
}

// wantsAbsence reports whether the condition holds where there is no such claim.
func (c Claim) wantsAbsence() bool { return c.Exists != nil && !*c.Exists }

// String is the condition in words: "env any "dev", "test"".
func (c Claim) String() string {
	text := c.name()
	if c.SplitSpace {
		text += " split at spaces"
	}
	text += listed(" any", c.Any) + listed(" all", c.All) + listed(" none", c.None)
	if c.Equals != nil {
		text += " equals " + c.Equals.String()
	}
	if c.Exists != nil {
		text += " exists " + strconv.FormatBool(*c.Exists)
	}
	return text + listedTexts(" prefix", c.Prefix) + listedTexts(" suffix", c.Suffix)
}

// name is the path in words: "realm.access>level".
func (c Claim) name() string { return strings.Join(quoted(c.Path), ">") }

func listed(operator string, values []Scalar) string {
	if len(values) == 0 {
		return ""
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = value.String()
	}
	return operator + " " + strings.Join(texts, ", ")
}

func listedTexts(operator string, texts []string) string {
	values := make([]Scalar, len(texts))
	for i, text := range texts {
		values[i] = Scalar{Kind: ScalarString, Text: text}
	}
	return listed(operator, values)
}
