package istio

import (
	"errors"
	"fmt"
	"strconv"
)

// Mistake is one thing that is wrong with the files. The errors of this package are Mistakes, joined; errors.As finds
// them.
type Mistake struct {
	// File is the path of the file.
	File string
	// Document counts the documents of the file from 1; 0 is the file as a whole. An item of a list belongs to the
	// document of the list.
	Document int
	// Line and Column are where it stands in the file, from 1; 0 where that is not known.
	Line, Column int
	// Subject is what it is about: "AuthorizationPolicy shop/orders", or "" for the document itself.
	Subject string
	// Path is the path of the wrong value: "spec.rules[0].from[1].source.ipBlocks[0]".
	Path string
	// Problem says what is wrong and what to do about it.
	Problem string
}

// Error is "file:line:column (document n): subject: path: problem".
func (m *Mistake) Error() string {
	text := m.File
	if m.Line > 0 {
		text += ":" + strconv.Itoa(m.Line)
		if m.Column > 0 {
			text += ":" + strconv.Itoa(m.Column)
		}
	}
	if m.Document > 0 {
		text += fmt.Sprintf(" (document %d)", m.Document)
	}
	for _, part := range []string{m.Subject, m.Path} {
		if part != "" {
			text += ": " + part
		}
	}
	return text + ": " + m.Problem
}

// mistakes collects what is wrong, up to a bound.
type mistakes struct{ errs []error }

func (m *mistakes) add(mistake Mistake) {
	switch {
	case m.full():
	case len(m.errs) == maxMistakes:
		mistake.Subject, mistake.Path = "", ""
		mistake.Problem = "there are more mistakes from here on; mend these first"
		m.errs = append(m.errs, &mistake)
	default:
		m.errs = append(m.errs, &mistake)
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
