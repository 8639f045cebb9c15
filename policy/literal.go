package policy

import (
	"strconv"

	"github.com/parley-rpc/parley/internal/literal"
)

// What to do in the place of a pattern.
const (
	nameEach    = "name each one"
	sayAffix    = "for a beginning or an end say prefix or suffix"
	saySubject  = "for a beginning or an end say subject_prefix or subject_suffix"
	leaveItOpen = "the rest is open without one; take it out"
)

// literals reads a list of strings that are compared letter by letter, none of which may be empty. Instead says what to
// do in the place of a pattern.
func (r *reader) literals(field, instead string, stated []string) []string {
	read := r.words(field, stated)
	for i, text := range read {
		read[i] = r.literal(field+"["+strconv.Itoa(i)+"]", instead, text)
	}
	return read
}

// literal reads one such string.
func (r *reader) literal(field, instead, stated string) string {
	text, ok := literal.Read(stated)
	if !ok {
		r.wrong(
			field,
			`%s has a star, and there are no patterns here; %s, and write \* for a real star`,
			quote(stated),
			instead,
		)
	}
	return text
}

// affixes reads the beginnings or ends of strings.
func (r *reader) affixes(field string, stated []string) []string {
	if len(stated) > maxRuleValues {
		r.wrong(field, "there are %d values; there must not be more than %d", len(stated), maxRuleValues)
		return nil
	}
	return r.literals(field, leaveItOpen, stated)
}

// scopes reads a set of scopes.
func (r *reader) scopes(field string, stated []string) []string {
	return sortedSet(r.literals(field, nameEach, stated))
}
