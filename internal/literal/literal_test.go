package literal_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/literal"
)

func TestRead(t *testing.T) {
	for stated, want := range map[string]string{
		"":            "",
		"alice":       "alice",
		`\*`:          "*",
		`orders:\*`:   "orders:*",
		`\\*`:         `\*`,
		`\*\*`:        "**",
		`SHOP\alice`:  `SHOP\alice`,
		`SHOP\\alice`: `SHOP\\alice`,
		`\`:           `\`,
	} {
		if got, ok := literal.Read(stated); !ok || got != want {
			t.Errorf("%s is read as %q, %v; want %q", stated, got, ok, want)
		}
	}
	for _, stated := range []string{"*", "guest-*", `\**`, `*\*`, `a\*b*`} {
		if got, ok := literal.Read(stated); ok {
			t.Errorf("%s is read as %q", stated, got)
		}
	}
}

// Every text can be stated, and what is stated is either one text or none.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "guest-*", `\*`, `\\*`, `a\`, `\**`, "*\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := literal.Read(strings.ReplaceAll(text, "*", `\*`)); !ok || got != text {
			t.Errorf("%q cannot be stated: %q, %v", text, got, ok)
		}
		got, ok := literal.Read(text)
		var want []byte // by a slow reading, byte by byte
		good := true
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\\' && i+1 < len(text) && text[i+1] == '*':
				want = append(want, '*')
				i++
			case text[i] == '*':
				good = false
			default:
				want = append(want, text[i])
			}
		}
		if ok != good || good && got != string(want) {
			t.Errorf("%q is read as %q, %v; want %q, %v", text, got, ok, want, good)
		}
	})
}
