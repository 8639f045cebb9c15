// Package joined takes errors apart that errors.Join has put together.
package joined

import "strings"

// Errors returns the errors that err joins, at any depth, in their order. An error that says more than its parts is
// one error. The nil error has none.
func Errors(err error) []error {
	if err == nil {
		return nil
	}
	join, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	parts := join.Unwrap()
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.Error()
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	var errs []error
	for _, part := range parts {
		errs = append(errs, Errors(part)...)
	}
	return errs
}
