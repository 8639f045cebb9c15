// Package stated writes mistakes for the one who stated them. A package that is configured in code names its options
// and fields there; where the same value came from a configuration file, the reader knows only the place and the keys
// of that file.
package stated

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Mistake is a configuration error that can be written in both ways.
type Mistake struct{ code, file string }

// New returns a mistake. In format, the names of fields and options stand between bars: "|MaxLength| is %d" is
// "MaxLength is 0" in code and "max_length is 0" in a file.
func New(format string, args ...any) *Mistake {
	var code, file strings.Builder
	for n, part := range strings.Split(format, "|") {
		code.WriteString(part)
		if n%2 == 1 {
			part = Key(part)
		}
		file.WriteString(part)
	}
	return &Mistake{fmt.Sprintf(code.String(), args...), fmt.Sprintf(file.String(), args...)}
}

// Error names fields and options as they are called in code.
func (m *Mistake) Error() string { return m.code }

// InFile names keys of the configuration file.
func (m *Mistake) InFile() string { return m.file }

// Within returns err for code, in which expression is where its values were stated. A file has places of its own, so
// that [At] leaves the expression out. The error is nil if err is.
func Within(expression string, err error) error {
	if err == nil {
		return nil
	}
	return &within{expression, err}
}

type within struct {
	expression string
	err        error
}

func (w *within) Error() string { return w.expression + ": " + w.err.Error() }
func (w *within) Unwrap() error { return w.err }

// At returns the error for the reader of a configuration file, in which the values stand at place. Each error that err
// joins gets the place. What they match stays.
func At(place string, err error) error {
	var errs []error
	for _, e := range Leaves(err) {
		if _, ok := errors.AsType[*placed](e); ok {
			errs = append(errs, e)
			continue
		}
		text := e.Error()
		if m, ok := errors.AsType[interface {
			error
			InFile() string
		}](e); ok {
			text = m.InFile()
		}
		errs = append(errs, &placed{place + ": " + text, e})
	}
	return errors.Join(errs...)
}

// Mistakes is [At] of the mistakes that err joins. Other errors stay as they are.
func Mistakes(place string, err error) error {
	var errs []error
	for _, e := range Leaves(err) {
		if _, ok := e.(*Mistake); ok { //nolint:errorlint // one that another error describes is named by that
			e = At(place, e)
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// placed is an error with its place in a file.
type placed struct {
	text string
	err  error
}

func (p *placed) Error() string { return p.text }
func (p *placed) Unwrap() error { return p.err }

// Leaves returns the errors that err joins, also those of [Within].
func Leaves(err error) []error {
	if err == nil {
		return nil
	}
	switch e := err.(type) { //nolint:errorlint // each level by itself
	case *placed: // has one already
		return []error{e}
	case interface{ Unwrap() []error }:
		var all []error
		for _, inner := range e.Unwrap() {
			all = append(all, Leaves(inner)...)
		}
		return all
	case *within:
		return Leaves(e.err)
	}
	return []error{err}
}

// Key is the key in the configuration file of a field, an option, or a path of fields.
func Key(name string) string {
	if key, ok := keys()[name]; ok {
		return key
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "Profile."), "With")
	parts := strings.Split(name, ".")
	for n, part := range parts {
		parts[n] = snake(part)
	}
	return strings.Join(parts, ".")
}

// keys are those that are not their field in other letters.
func keys() map[string]string {
	return map[string]string{
		"Domains":               "trust_domains",
		"Name":                  "issuer",
		"IDs":                   "ids",
		"Algorithms":            "keys.algorithms",
		"Profile.Algorithms":    "keys.algorithms",
		"KeyUses":               "keys.uses",
		"Profile.KeyUses":       "keys.uses",
		"NoKeyID":               "no_key_id",
		"WithCAFile":            "ca_file",
		"WithLoopbackHTTP":      "loopback_http",
		"WithBearerTokens":      "client_credentials",
		"WithAcceptDomains":     "identity.accept_domains",
		"WithUserIssuers":       "users.issuers",
		"WithTransactionTokens": "users.transactions",
	}
}

// snake writes the words of a name in lower case, with underscores between them.
func snake(name string) string {
	var b strings.Builder
	for n, r := range name {
		if unicode.IsUpper(r) && n > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
