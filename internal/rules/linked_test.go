package rules_test

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/rules"
)

// TestLinkedModules keeps what a service pays for importing the framework a reviewed list.
func TestLinkedModules(t *testing.T) {
	list := filepath.Join(root, rules.LinkedList)
	content, err := os.ReadFile(list)
	if err != nil {
		t.Fatalf("%v; make deps writes it", err)
	}
	listed, err := rules.ParseLinked(content)
	if err != nil {
		t.Fatal(err)
	}
	linked := linkedModules(t, "./framework")
	if update() {
		if err := os.WriteFile(list, rules.FormatLinked(listed, linked), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, wrong := range rules.CompareLinked(listed, linked) {
		t.Error(wrong)
	}
}

func TestLightPackages(t *testing.T) {
	for _, pkg := range rules.Light() {
		for _, wrong := range rules.CheckLight(pkg, linkedModules(t, pkg)) {
			t.Error(wrong)
		}
	}
	got := rules.CheckLight("./policy", []rules.Linked{{Path: "example.com/a"}, {Path: "github.com/lestrrat-go/jwx/v2"}})
	if want := "./policy links github.com/lestrrat-go/jwx/v2"; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("got %q, want one finding that begins with %q", got, want)
	}
}

func TestCompareLinked(t *testing.T) {
	listed := []rules.Linked{
		{"example.com/kept", "v1.0.0", "needed"},
		{"example.com/moved", "v1.0.0", "needed"},
		{"example.com/gone", "v1.0.0", "needed once"},
		{"example.com/mute", "v1.0.0", ""},
		{"go.etcd.io/etcd/client/v3", "v3.6.0", "convenient"},
	}
	linked := []rules.Linked{
		{Path: "example.com/kept", Version: "v1.0.0"},
		{Path: "example.com/moved", Version: "v1.1.0"},
		{Path: "example.com/mute", Version: "v1.0.0"},
		{Path: "example.com/new", Version: "v1.0.0"},
		{Path: "go.etcd.io/etcd/client/v3", Version: "v3.6.0"},
	}
	got := rules.CompareLinked(listed, linked)
	want := []string{
		"internal/deps.txt: example.com/mute has no reason; write behind it why the framework needs it",
		"framework links example.com/moved v1.1.0, and internal/deps.txt has v1.0.0; read its changes and run make deps",
		"framework links example.com/new v1.0.0, which is not in internal/deps.txt; do without it, or run make deps and write the reason",
		"framework links go.etcd.io/etcd/client/v3, an engine client; move what needs it into a nested module",
		"internal/deps.txt has example.com/gone, which framework no longer links; run make deps",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFormatLinkedKeepsReasons(t *testing.T) {
	listed := []rules.Linked{{"example.com/a", "v1.0.0", "it is needed"}, {"example.com/gone", "v1.0.0", "was needed"}}
	linked := []rules.Linked{{Path: "example.com/new", Version: "v0.1.0"}, {Path: "example.com/a", Version: "v1.2.0"}}
	got, err := rules.ParseLinked(rules.FormatLinked(listed, linked))
	if err != nil {
		t.Fatal(err)
	}
	want := []rules.Linked{{"example.com/a", "v1.2.0", "it is needed"}, {"example.com/new", "v0.1.0", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseLinkedRefusesHalfLines(t *testing.T) {
	if _, err := rules.ParseLinked([]byte("# list\n\nexample.com/a\n")); err == nil {
		t.Error("a line without a version was accepted")
	}
}

// linkedModules lists the modules, other than Parley, that a package links on Linux.
func linkedModules(t *testing.T, pkg string) []rules.Linked {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Module", pkg)
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list -deps %s: %s", pkg, exit.Stderr)
		}
		t.Fatal(err)
	}
	var linked []rules.Linked
	seen := map[string]bool{rules.Module: true}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Module *struct{ Path, Version string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return linked
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !seen[p.Module.Path] {
			seen[p.Module.Path] = true
			linked = append(linked, rules.Linked{Path: p.Module.Path, Version: p.Module.Version})
		}
	}
}

// update reports whether the flag -update was given.
func update() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite internal/deps.txt, "+rules.LongLines+" and the table of docs/architecture.md")
	os.Exit(m.Run())
}
