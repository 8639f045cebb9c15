package retry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// Each stop reason of the package is one of the table, and each of the table is one of the package.
func TestStopReasonsAreThoseOfTheTable(t *testing.T) {
	syntax, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(syntax, func(n ast.Node) bool {
		if value, ok := n.(*ast.ValueSpec); ok {
			if of, ok := value.Values[0].(*ast.SelectorExpr); !ok || of.Sel.Name != value.Names[0].Name {
				t.Errorf("%s is not the row of its name", value.Names[0].Name)
			}
			declared = append(declared, value.Names[0].Name)
		}
		return true
	})
	table, err := parser.ParseFile(token.NewFileSet(), "../../internal/vocabulary/stopreasons.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	ast.Inspect(table, func(n ast.Node) bool {
		if row, ok := n.(*ast.CompositeLit); ok && len(row.Elts) == 5 {
			if name, ok := row.Elts[0].(*ast.Ident); ok {
				rows = append(rows, name.Name)
			}
		}
		return true
	})
	same(t, "the constants are", declared, rows)
	if n := len(vocabulary.StopReasons()); n != len(rows) {
		t.Errorf("the table has %d rows, read %d", n, len(rows))
	}
}

// The package comment and the document ask the questions in the order of the table, and name every reason.
func TestDocsNameEveryStopReason(t *testing.T) {
	for file, begin := range map[string]string{"doc.go": "//\thas the call still a caller", "../../docs/retry.md": "an attempt has failed"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), begin)
		last := 0
		for _, reason := range vocabulary.StopReasons() {
			switch reason.Name {
			case vocabulary.StopOK: // nothing is asked
			case vocabulary.StopCommitted, vocabulary.StopBufferOverflow: // of streams, asked before all
				if !strings.Contains(rest, reason.Name) {
					t.Errorf("%s does not name %s", file, reason.Name)
				}
			default:
				at := strings.Index(rest, reason.Name)
				if at < last {
					t.Errorf("%s does not name %s in its place", file, reason.Name)
				}
				last = max(at, last)
			}
		}
	}
	if !slices.ContainsFunc(vocabulary.StopReasons(), func(r vocabulary.StopReason) bool { return r.GaveUp }) {
		t.Error("no reason is a sign to callers")
	}
}
