package rules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/rules/knots"
)

// The table of docs/architecture.md says how the files of each package hang together. Its largest cycles may only fall:
// -update writes the table anew, and refuses one that grew.
func TestKnots(t *testing.T) {
	packages, err := knots.Load(root, "./...")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", "architecture.md")
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start, end := []byte("<!-- knots -->\n"), []byte("<!-- end of knots -->\n")
	before, rest, ok := bytes.Cut(document, start)
	table, after, ended := bytes.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no table between %s and %s", path, start, end)
	}
	for _, wrong := range knots.Grown(string(table), packages) {
		t.Error(wrong)
	}
	fresh := []byte(knots.Table(packages))
	if t.Failed() || bytes.Equal(table, fresh) {
		return
	}
	if !update() {
		t.Fatalf("the table of %s is not of today; run go test ./internal/rules -update\ngot:\n%s\nwant:\n%s", path, table, fresh)
	}
	if err := os.WriteFile(path, slices.Concat(before, start, fresh, end, after), 0o600); err != nil {
		t.Fatal(err)
	}
}
