package protoyaml

import (
	"errors"
	"strconv"
)

// Mistake is one thing that is wrong with a configuration. The errors of this package are Mistakes, joined; errors.As
// finds them.
type Mistake struct {
	// Place is where it stands: "orders.yaml:12:3", or "env PARLEY_IDENTITY_TRUST_DIR".
	Place string
	// Path is the path of the wrong value, or of the section with the wrong key; "" is the whole configuration.
	Path string
	// Problem says what is wrong and what to do about it.
	Problem string
}

// Error is "place: path: problem".
func (m *Mistake) Error() string {
	if m.Path == "" {
		return m.Place + ": " + m.Problem
	}
	return m.Place + ": " + m.Path + ": " + m.Problem
}

// mistakes collects what is wrong, up to a bound.
type mistakes struct {
	errs []error
}

func (m *mistakes) add(place, path, problem string) {
	switch {
	case m.full():
	case len(m.errs) == maxMistakes:
		m.errs = append(m.errs, &Mistake{Place: place, Problem: "there are more mistakes from here on; mend these first"})
	default:
		m.errs = append(m.errs, &Mistake{Place: place, Path: path, Problem: problem})
	}
}

func (m *mistakes) full() bool { return len(m.errs) > maxMistakes }

func (m *mistakes) join() error { return errors.Join(m.errs...) }

// show quotes a value, or the beginning of a long one.
func show(value string) string {
	if runes := []rune(value); len(runes) > maxShown {
		return strconv.Quote(string(runes[:maxShown])) + "..."
	}
	return strconv.Quote(value)
}
