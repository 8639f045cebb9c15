package vocabulary_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// constants are the names that a file declares, by the name of the constant, those with one of the prefixes.
func constants(t *testing.T, file string, prefixes ...string) map[string]string {
	t.Helper()
	syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{}
	ast.Inspect(syntax, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		name := spec.Names[0].Name
		value, isLiteral := spec.Values[0].(*ast.BasicLit)
		if isLiteral && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			declared[name] = text
		}
		return true
	})
	return declared
}

// complete compares what is declared with what a table lists.
func complete(t *testing.T, declared map[string]string, listed []string) {
	t.Helper()
	for i, name := range listed {
		if slices.Index(listed, name) != i {
			t.Errorf("%s is listed twice", name)
		}
	}
	for constant, name := range declared {
		if !slices.Contains(listed, name) {
			t.Errorf("no table has %s, %q", constant, name)
		}
	}
	if len(declared) == 0 {
		t.Error("nothing is declared; the search is broken")
	}
}

func TestEveryNameHasARow(t *testing.T) {
	var metrics, attributes, events, used []string
	for _, m := range vocabulary.Metrics() {
		metrics = append(metrics, m.Name)
		used = append(used, m.Attributes...)
		if m.Unit == "" || m.Kind == "" || !strings.HasSuffix(m.Meaning, ".") {
			t.Errorf("%s is not described in full: %+v", m.Name, m)
		}
	}
	for _, a := range append(vocabulary.SpanAttributes(), vocabulary.Labels()...) {
		attributes = append(attributes, a.Name)
		if a.Meaning == "" {
			t.Errorf("%s has no meaning", a.Name)
		}
	}
	for _, e := range vocabulary.Events() {
		events = append(events, e.Name)
		used = append(used, e.Attributes...)
	}
	complete(t, constants(t, "metrics.go", "Metric"), metrics)
	complete(t, constants(t, "events.go", "Event"), events)
	declared := constants(t, "attributes.go", "Attr", "Label")
	delete(declared, "LabelMethodOther")
	delete(declared, "AttemptPrefix")
	complete(t, declared, attributes)
	for name, key := range constants(t, "events.go", "Attr") {
		if !slices.Contains(used, key) {
			t.Errorf("no event has %s", name)
		}
	}
	for _, a := range vocabulary.Labels() {
		if !slices.Contains(used, a.Name) {
			t.Errorf("no metric has %s", a.Name)
		}
	}
}

func TestMetric(t *testing.T) {
	if m := vocabulary.Metric(vocabulary.MetricRefusals); m.Unit != "{call}" {
		t.Errorf("the row is %+v", m)
	}
	if m := vocabulary.Metric("x"); m.Name != "x" || m.Unit != "" {
		t.Errorf("the row of an unknown metric is %+v", m)
	}
}

// Whatever shows a name takes it from here: a name that is written a second time is a name that can differ.
func TestNamesAreWrittenOnce(t *testing.T) {
	names := map[string]bool{}
	for _, m := range vocabulary.Metrics() {
		names[m.Name] = true
	}
	for _, a := range append(vocabulary.SpanAttributes(), vocabulary.Labels()...) {
		names[a.Name] = true
	}
	for _, e := range vocabulary.Events() {
		names[e.Name] = true
	}
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if path != root && (nested == nil || slices.Contains([]string{"gen", "bin", "testdata", "vocabulary"},
				entry.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		syntax, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(syntax, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && names[text] && strings.Contains(text, ".") {
					t.Errorf("%s writes %q; take it from package vocabulary", path, text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files were read: %v", files, err)
	}
}
