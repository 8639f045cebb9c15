package joined_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/joined"
)

func TestErrors(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c\nd")
	both := fmt.Errorf("%w and %w", a, b)
	for name, test := range map[string]struct {
		err  error
		want []error
	}{
		"none":                   {nil, nil},
		"one":                    {a, []error{a}},
		"one, joined":            {errors.Join(nil, a), []error{a}},
		"joined":                 {errors.Join(a, c, b), []error{a, c, b}},
		"joined of joined":       {errors.Join(errors.Join(a, b), errors.Join(c)), []error{a, b, c}},
		"one that wraps two":     {both, []error{both}},
		"joined with such a one": {errors.Join(both, errors.Join(c, a)), []error{both, c, a}},
	} {
		if got := joined.Errors(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
