package auth

import (
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// holdAll reports whether every condition holds for the claims.
func holdAll(conditions []policy.Claim, claims principal.Claims) bool {
	for i := range conditions {
		if !policy.Holds(&conditions[i], claims.Lookup(conditions[i].Path)) {
			return false
		}
	}
	return true
}

// holds tells whether a condition holds. On a claim that is missing or null nothing holds but exists: false.
func holds(c *policy.Claim, claims principal.Claims) bool {
	value := claims.Lookup(c.Path)
	if !value.Exists() {
		return c.Exists != nil && !*c.Exists
	}
	if c.Exists != nil && !*c.Exists {
		return false
	}
	if c.Equals != nil && !equal(value, *c.Equals) {
		return false
	}
	if len(c.Any) > 0 && !hasOne(value, c.SplitSpace, c.Any) {
		return false
	}
	for _, wanted := range c.All {
		if !has(value, c.SplitSpace, wanted) {
			return false
		}
	}
	return !hasOne(value, c.SplitSpace, c.None)
}

func hasOne(value jose.Value, split bool, wanted []policy.Scalar) bool {
	for _, w := range wanted {
		if has(value, split, w) {
			return true
		}
	}
	return false
}

// has tells whether a value is the wanted one, or a list that holds it.
func has(value jose.Value, split bool, wanted policy.Scalar) bool {
	if value.IsList() {
		for first, rest, ok := value.Element(); ok; first, rest, ok = rest.Element() {
			if equal(first, wanted) {
				return true
			}
		}
		return false
	}
	if text, ok := value.String(); ok && split {
		return wanted.Kind == policy.ScalarString && hasWord(text, wanted.Text)
	}
	return equal(value, wanted)
}

// hasWord tells whether one of the words of text, which spaces separate, is the wanted one.
func hasWord(text, wanted string) bool {
	for text != "" {
		word, rest, _ := strings.Cut(text, " ")
		if word == wanted {
			return true
		}
		text = rest
	}
	return false
}

// equal compares a value with one of the same type.
func equal(value jose.Value, wanted policy.Scalar) bool {
	switch wanted.Kind {
	case policy.ScalarString:
		text, ok := value.String()
		return ok && text == wanted.Text
	case policy.ScalarNumber:
		number, ok := value.Number()
		return ok && number == wanted.Number
	case policy.ScalarBool:
		flag, ok := value.Bool()
		return ok && flag == wanted.Bool
	default:
		return false
	}
}

// hasAll tells whether every wanted word is among the words that are there.
func hasAll(there, wanted []string) bool {
	for _, word := range wanted {
		if !slices.Contains(there, word) {
			return false
		}
	}
	return true
}

// hasAny tells whether one of the words is among the accepted ones. No accepted ones accept every word.
func hasAny(accepted []string, words ...string) bool {
	if len(accepted) == 0 {
		return true
	}
	for _, word := range words {
		if slices.Contains(accepted, word) {
			return true
		}
	}
	return false
}
