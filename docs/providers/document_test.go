package providers_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/profile"
)

const (
	document = "../providers.md"
	command  = "go test ./docs/providers -update"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the tables and configurations of docs/providers.md")
	goleak.VerifyTestMain(m)
}

// update reports whether the flag -update was given.
func update() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// documents compares docs/providers.md with what the test found, or writes it there.
func documents(t *testing.T, found map[string]string) {
	t.Helper()
	for _, name := range products(t) {
		found[name] = section(t, name)
	}
	for _, name := range []string{"user-client", "projected-client", "projected-server"} {
		found[name] = shown(t, name)
	}
	found["exceptions"] = exceptions()
	before, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	after := string(before)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		begin, end := fmt.Sprintf("<!-- begin %s: %s -->\n", name, command), fmt.Sprintf("<!-- end %s -->\n", name)
		head, rest, opened := strings.Cut(after, begin)
		_, tail, closed := strings.Cut(rest, end)
		if !opened || !closed {
			t.Fatalf("%s has no place for %s; put %q and %q where it belongs", document, name, begin, end)
		}
		after = head + begin + found[name] + end + tail
	}
	switch {
	case after == string(before):
	case !update():
		t.Errorf("%s is not what this test found; run %s", document, command)
	case t.Failed():
		t.Errorf("%s stays as it is, because the test has failed", document)
	default:
		if err := os.WriteFile(document, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// section is the configuration of a product, byte for byte as it was tested, and what its preset opens and demands.
func section(t *testing.T, name string) string {
	t.Helper()
	p := profile.Of(profile.Provider(name))
	var b strings.Builder
	b.WriteString(shown(t, name) + "\n")
	var parts []string
	for _, e := range p.Exceptions() {
		parts = append(parts, "`"+e.String()+"`")
	}
	fmt.Fprintf(&b, "Opens: %s.\n", listed(parts))
	parts = nil
	for _, claim := range p.RequiredClaims {
		parts = append(parts, "a `"+claim+"`")
	}
	for _, claim := range slices.Sorted(maps.Keys(p.RequiredValues)) {
		parts = append(parts, fmt.Sprintf("`%s` = `%s`", claim, p.RequiredValues[claim]))
	}
	for _, claim := range p.RefusedClaims {
		parts = append(parts, "no `"+claim+"`")
	}
	fmt.Fprintf(&b, "Demands: %s.\n", listed(parts))
	return b.String()
}

// shown is a configuration, byte for byte as it was tested.
func shown(t *testing.T, name string) string {
	t.Helper()
	file, err := os.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("```yaml\n%s```\n", file)
}

func listed(parts []string) string {
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// exceptions is the table of what the presets open.
func exceptions() string {
	costs, opened := map[string]string{}, map[string][]string{}
	for _, provider := range profile.Providers() {
		for _, e := range profile.Of(provider).Exceptions() {
			costs[e.Setting] = e.Cost
			opened[e.Setting] = append(opened[e.Setting], string(provider))
		}
	}
	var b strings.Builder
	b.WriteString("| setting | what it costs | opened for |\n|---|---|---|\n")
	for _, setting := range slices.Sorted(maps.Keys(costs)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", setting, costs[setting], strings.Join(opened[setting], ", "))
	}
	return b.String()
}
