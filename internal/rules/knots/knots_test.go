package knots_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/rules/knots"
)

// What the fixture's files do with each other: a and b name each other, c names a, d is named by none.
func TestLoad(t *testing.T) {
	packages, err := knots.Load("testdata/module", "./...")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != 2 {
		t.Fatalf("got %d packages, want 2: %v", len(packages), packages)
	}
	root, free := packages[0], packages[1]
	if root.Path != "." || root.Files != 4 || !slices.Equal(root.Cycle, []string{"a.go", "b.go"}) {
		t.Errorf("got %+v, want 4 files of which a.go and b.go are a circle", root)
	}
	// b names the type A and its field; a names the method of B and B. c names A twice. One of the two arrows of the
	// circle runs up.
	if root.References != 6 || root.Upward != 2 {
		t.Errorf("got %d references, %d of them upward; want 6 and 2", root.References, root.Upward)
	}
	if up := root.Arrows; len(up) != 1 || up[0].From != "a.go" && up[0].From != "b.go" || len(up[0].Names) != 2 {
		t.Errorf("got %v, want one arrow between a.go and b.go with two names", root.Arrows)
	}
	if free.Path != "free" || free.Cycle != nil || free.Upward != 0 || free.References != 1 {
		t.Errorf("got %+v, want one reference and no circle", free)
	}
}

func TestLoadReportsWhatDoesNotCompile(t *testing.T) {
	if _, err := knots.Load("testdata/broken", "./..."); err == nil {
		t.Error("a package that does not compile was measured")
	}
}

func TestGrown(t *testing.T) {
	const table = "| package | files | largest cycle | upward |\n|---|---|---|---|\n| a | 9 | 3 | 4 % |\n"
	of := func(path string, files, cycle int) knots.Package {
		return knots.Package{Path: path, Files: files, Cycle: make([]string, cycle), References: 1}
	}
	for name, test := range map[string]struct {
		p    knots.Package
		want int
	}{
		"as it was":              {of("a", 9, 3), 0},
		"smaller":                {of("a", 9, 0), 0},
		"larger":                 {of("a", 9, 4), 1},
		"new, half of its files": {of("b", 8, 4), 0},
		"new, more than half":    {of("b", 8, 5), 1},
		"new, two files":         {of("b", 2, 2), 0},
	} {
		if got := knots.Grown(table, []knots.Package{test.p}); len(got) != test.want {
			t.Errorf("%s: got %q, want %d findings", name, got, test.want)
		}
	}
}
