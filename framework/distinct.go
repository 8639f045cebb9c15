package framework

import (
	"errors"
	"slices"

	"github.com/parley-rpc/parley/internal/joined"
	"github.com/parley-rpc/parley/internal/stated"
)

// distinct joins errors. It has a mistake once that several servers and clients report: what they share is one
// statement of the configuration.
func distinct(errs []error) error {
	var all []error
	for _, err := range errs {
		all = append(all, without(err, errors.Join(all...)))
	}
	return errors.Join(all...)
}

// without returns the errors of err that are not in reported, because the App reports an error only once: one of the
// same text, or one that is there with its place in the file.
func without(err, reported error) error {
	known := map[string]bool{}
	for _, e := range joined.Errors(reported) {
		known[e.Error()] = true
	}
	return errors.Join(slices.DeleteFunc(joined.Errors(err), func(e error) bool {
		leaves := stated.Leaves(e)
		return known[e.Error()] || !slices.ContainsFunc(leaves, func(leaf error) bool { return !errors.Is(reported, leaf) })
	})...)
}
