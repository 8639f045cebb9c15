package rules

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"slices"
)

// checkTests refuses tests that can be left out: every test runs everywhere, or the file says for which system it is.
func checkTests(t *Tree) []Finding {
	var findings []Finding
	for _, f := range t.files {
		if !f.test {
			continue
		}
		for _, decl := range f.syntax.Decls {
			ast.Inspect(decl, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if what := leavesOut(f, call); what != "" {
						findings = append(
							findings,
							Finding{
								Pos:    t.at(call),
								What:   what,
								Remedy: "make the test run everywhere, or delete it; a fuzz target returns on input that it has no use for",
							},
						)
					}
				}
				return true
			})
		}
		for _, group := range f.syntax.Comments {
			for _, comment := range group.List {
				if comment.Pos() < f.syntax.Package && constraint.IsGoBuild(comment.Text) && !forSystem(comment.Text) {
					findings = append(findings, Finding{
						Pos: t.at(comment), What: fmt.Sprintf("%s takes the tests of this file out of the ordinary run", comment.Text),
						Remedy: "remove it; slow or heavy tests go into the module test/",
					})
				}
			}
		}
	}
	return findings
}

// leavesOut says how a call leaves a test out, or "".
func leavesOut(f *file, call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	switch name := selector.Sel.Name; {
	case f.imports[x.Name] == "testing" && name == "Short",
		slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name):
		return x.Name + "." + name + " leaves a test out"
	}
	return ""
}

// forSystem reports whether a build constraint only says for which system or build mode a file is.
func forSystem(line string) bool {
	expr, err := constraint.Parse(line)
	return err == nil && systemsOnly(expr)
}

func systemsOnly(expr constraint.Expr) bool {
	switch e := expr.(type) {
	case *constraint.AndExpr:
		return systemsOnly(e.X) && systemsOnly(e.Y)
	case *constraint.OrExpr:
		return systemsOnly(e.X) && systemsOnly(e.Y)
	case *constraint.NotExpr:
		return systemsOnly(e.X)
	case *constraint.TagExpr:
		return slices.Contains([]string{"unix", "linux", "darwin", "freebsd", "windows", "race"}, e.Tag)
	}
	return false
}
