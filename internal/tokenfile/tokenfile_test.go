package tokenfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/tokenfile"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ name, path, want, says string }{
		{"a token and a line end", file("good", " a.b.c\n"), "a.b.c", ""},
		{"an empty file", file("empty", ""), "", ""},
		{"too large", file("large", strings.Repeat("SECRET", 3000)), "", "larger than 16384 bytes"},
		{"a directory", dir, "", "no regular file"},
		{"none", filepath.Join(dir, "none"), "", "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := tokenfile.Read(test.path)
			says := ""
			if err != nil {
				says = err.Error()
			}
			if got != test.want || !strings.Contains(says, test.says) || (says == "") != (test.says == "") {
				t.Errorf("got %q, %v", got, err)
			}
			if strings.Contains(says, "SECRET") {
				t.Errorf("%v shows the file", err)
			}
		})
	}
}
