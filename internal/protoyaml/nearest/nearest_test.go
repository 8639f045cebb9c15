package nearest_test

import (
	"fmt"
	"testing"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

func TestOf(t *testing.T) {
	known := []string{"trust_dir", "trust_domain", "key_file", "on"}
	for _, test := range []struct{ word, want string }{
		{"trust_dri", "trust_dir"},
		{"TRUST_DIR", "trust_dir"},
		{"trustDomain", "trust_domain"},
		{"keyfile", "key_file"},
		{"trust_d", "trust_dir"},
		{"no", "on"},
		{"an", "on"},
		{"x", ""},
		{"", ""},
		{"something_else", ""},
	} {
		if got := nearest.Of(test.word, known); got != test.want {
			t.Errorf("Of(%q) = %q, want %q", test.word, got, test.want)
		}
	}
	if got := nearest.Of("a", nil); got != "" {
		t.Errorf("got %q of nothing", got)
	}
}

func ExampleOf() {
	fmt.Println(nearest.Of("trust_dri", []string{"key_file", "trust_dir"}))
	// Output: trust_dir
}
