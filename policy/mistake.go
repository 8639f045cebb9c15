package policy

import (
	"errors"

	"github.com/parley-rpc/parley/internal/joined"
)

// Mistake is one thing that is wrong with a policy. Errors of this package are Mistakes, joined; [Mistakes] takes them
// apart.
type Mistake struct {
	// Source is where the wrong thing is stated.
	Source Source
	// Subject is the key of the statement: "/package.Service/Method", or "/package.Service/*" for a whole service.
	Subject string
	// Field is the wrong field, as a path in the schema parley.policy.v1.Policy ("retry.max_attempts"), or "" when the
	// subject itself is wrong.
	Field string
	// Problem says what is wrong and what to do about it.
	Problem string
}

// Error is "place: subject: field: problem".
func (m *Mistake) Error() string {
	text := ""
	for _, part := range []string{m.Source.Place, m.Subject, m.Field} {
		if part != "" {
			text += part + ": "
		}
	}
	return text + m.Problem
}

// Mistakes returns the Mistakes that err joins, in their order. It leaves out errors of other kinds.
func Mistakes(err error) []*Mistake {
	var mistakes []*Mistake
	for _, e := range joined.Errors(err) {
		if m, ok := errors.AsType[*Mistake](e); ok {
			mistakes = append(mistakes, m)
		}
	}
	return mistakes
}

// join joins errors and leaves out each that repeats an earlier text: a mistake in the statement about a service shows
// in each of its methods.
func join(errs []error) error {
	seen := map[string]bool{}
	var once []error
	for _, err := range errs {
		if err == nil || seen[err.Error()] {
			continue
		}
		seen[err.Error()] = true
		once = append(once, err)
	}
	return errors.Join(once...)
}
