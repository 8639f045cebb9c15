package quote_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/quote"
)

func TestText(t *testing.T) {
	long := strings.Repeat("a", 80)
	for _, c := range []struct{ name, text, want string }{
		{"plain", "orders", `"orders"`},
		{"empty", "", `""`},
		{"quotes and backslashes", `a"b\c`, `"a\"b\\c"`},
		{"a line of a log", "a\nlevel=INFO msg=granted", `"a\nlevel=INFO msg=granted"`},
		{"NUL, escape, delete", "a\x00\x1b[31m\x7f", `"a\x00\x1b[31m\x7f"`},
		{"right-to-left override", "a\u202eb", `"a\u202eb"`},
		{"line separator", "a\u2028b", `"a\u2028b"`},
		{"letters of other languages", "zürich 東京", `"zürich 東京"`},
		{"no UTF-8", "a\xff\xc0\xaf", `"a\xff\xc0\xaf"`},
		{"80 bytes", long, `"` + long + `"`},
		{"81 bytes", long + "b", `"` + long + `"...`},
		{"cut between characters", long[1:] + "üü", `"` + long[1:] + `"...`},
		{"cut behind a character", long[2:] + "üü", `"` + long[2:] + `ü"...`},
		{"cut in bytes that are no UTF-8", long[4:] + strings.Repeat("\x80", 6), `"` + long[4:] + `\x80\x80\x80\x80"...`},
		{"nothing but continuation bytes", strings.Repeat("\x80", 100), `"` + strings.Repeat(`\x80`, 80) + `"...`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := quote.Text(c.text); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestList(t *testing.T) {
	if got, want := quote.List([]string{"a", "b\n"}), `"a", "b\n"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := quote.List(nil); got != "" {
		t.Errorf("got %s for no text", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc..."},
		{"abü", 3, "ab..."},
		{"aü", 3, "aü"},
		{"😀😀", 6, "😀..."},
		{"ü", 1, "..."},
		{"abc", 0, "..."},
	} {
		if got := quote.Cut(c.text, c.limit); got != c.want {
			t.Errorf("%q cut to %d bytes is %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}
