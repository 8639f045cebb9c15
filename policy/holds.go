package policy

import "strings"

// ClaimValue is the value of a claim as a token states it, with V as its own type. A value of JSON's null, or none at
// all, does not exist. The second result of String, Number and Bool reports whether the value is of that type.
type ClaimValue[V any] interface {
	// Exists reports whether there is a value.
	Exists() bool
	// String returns a string.
	String() (string, bool)
	// Number returns a number, rounded to the nearest float64.
	Number() (float64, bool)
	// Bool returns a boolean.
	Bool() (value, ok bool)
	// IsList reports whether the value is an array.
	IsList() bool
	// Element returns the first element of an array, and the array of the others. It reports false when there is none.
	Element() (first, rest V, ok bool)
}

// Holds reports whether a condition holds for the value that its Path leads to.
func Holds[V ClaimValue[V]](c *Claim, value V) bool {
	if !value.Exists() {
		return c.wantsAbsence()
	}
	if c.wantsAbsence() || c.Equals != nil && !equals(value, *c.Equals) {
		return false
	}
	if len(c.Any) > 0 && !containsAny(value, c.SplitSpace, c.Any) {
		return false
	}
	for _, wanted := range c.All {
		if !contains(value, c.SplitSpace, wanted) {
			return false
		}
	}
	return !containsAny(value, c.SplitSpace, c.None) &&
		hasAffix(value, c.SplitSpace, c.Prefix, strings.HasPrefix) &&
		hasAffix(value, c.SplitSpace, c.Suffix, strings.HasSuffix)
}

func containsAny[V ClaimValue[V]](value V, split bool, wanted []Scalar) bool {
	for _, w := range wanted {
		if contains(value, split, w) {
			return true
		}
	}
	return false
}

// contains reports whether a value is the wanted one, or a list that holds it.
func contains[V ClaimValue[V]](value V, split bool, wanted Scalar) bool {
	if value.IsList() {
		for first, rest, ok := value.Element(); ok; first, rest, ok = rest.Element() {
			if equals(first, wanted) {
				return true
			}
		}
		return false
	}
	if text, ok := value.String(); ok && split {
		return wanted.Kind == ScalarString && containsWord(text, wanted.Text)
	}
	return equals(value, wanted)
}

// containsWord reports whether one of the words of text, which spaces separate, is the wanted one.
func containsWord(text, wanted string) bool {
	for text != "" {
		word, rest, _ := strings.Cut(text, " ")
		if word == wanted {
			return true
		}
		text = rest
	}
	return false
}

// equals compares a value with one of the same type.
func equals[V ClaimValue[V]](value V, wanted Scalar) bool {
	switch wanted.Kind {
	case ScalarString:
		text, ok := value.String()
		return ok && text == wanted.Text
	case ScalarNumber:
		number, ok := value.Number()
		return ok && number == wanted.Number
	case ScalarBool:
		flag, ok := value.Bool()
		return ok && flag == wanted.Bool
	}
	return false
}

// hasAffix reports whether a value is a string with one of the affixes, or a list that holds such a string. Without
// affixes nothing is asked.
func hasAffix[V ClaimValue[V]](value V, split bool, affixes []string, has func(text, affix string) bool) bool {
	if len(affixes) == 0 {
		return true
	}
	if value.IsList() {
		for first, rest, ok := value.Element(); ok; first, rest, ok = rest.Element() {
			if text, isText := first.String(); isText && hasOne(text, affixes, has) {
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
		return hasOne(text, affixes, has)
	}
	for text != "" {
		word, rest, _ := strings.Cut(text, " ")
		if hasOne(word, affixes, has) {
			return true
		}
		text = rest
	}
	return false
}
