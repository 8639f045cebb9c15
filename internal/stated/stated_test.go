package stated_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/parley-rpc/parley/internal/stated"
)

func TestAMistakeInCodeAndInAFile(t *testing.T) {
	for _, test := range []struct {
		mistake    *stated.Mistake
		code, file string
	}{
		{stated.New("|MaxLength| is %d", 0), "MaxLength is 0", "max_length is 0"},
		{
			stated.New("it has no |Name| and no |Principals.Same|, say %q", "|Keys|"),
			`it has no Name and no Principals.Same, say "|Keys|"`, `it has no issuer and no principals.same, say "|Keys|"`,
		},
		{stated.New("|WithMaxStale|: too long"), "WithMaxStale: too long", "max_stale: too long"},
		{
			stated.New("|Profile.RequiredValues| or |Profile.KeyUses|"),
			"Profile.RequiredValues or Profile.KeyUses", "required_values or keys.uses",
		},
		{stated.New("no field"), "no field", "no field"},
	} {
		if test.mistake.Error() != test.code || test.mistake.InFile() != test.file {
			t.Errorf("%q and %q, want %q and %q", test.mistake, test.mistake.InFile(), test.code, test.file)
		}
	}
}

// Each mistake gets the place, once, and stays what it was.
func TestAPlace(t *testing.T) {
	in := stated.Within("package.Make(option)", errors.Join(stated.New("|MaxStale| is long"), io.EOF))
	if got := in.Error(); got != "package.Make(option): MaxStale is long\nEOF" {
		t.Errorf("in code it is %q", got)
	}
	err := stated.At("a[0]", errors.Join(in, fmt.Errorf("wrapped: %w", io.ErrClosedPipe)))
	const want = "a[0]: max_stale is long\na[0]: EOF\na[0]: wrapped: io: read/write on closed pipe"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
	if !errors.Is(err, io.EOF) || !errors.Is(err, io.ErrClosedPipe) {
		t.Error("the errors are lost")
	}
	if again := stated.At("b", err); again.Error() != want {
		t.Errorf("a second place makes %v", again)
	}
	if stated.At("a", nil) != nil || stated.Within("a", nil) != nil {
		t.Error("no error has no place")
	}
}
