package rules

import (
	"fmt"
	"go/ast"
)

// checkChecks finds checks of tokens outside of their one place: the issuer had a second copy of them once, and the two
// disagreed.
func checkChecks(t *Tree) []Finding {
	var findings []Finding
	for _, f := range t.files {
		if f.test || f.module != "." || !under(f.dir, "issuer") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			reads := ok && len(call.Args) == 1 && (method.Sel.Name == "NumericDate" || method.Sel.Name == "Verify")
			if !reads {
				return true
			}
			findings = append(findings, Finding{
				Pos:    t.at(method.Sel),
				What:   fmt.Sprintf("%s checks a token by itself (%s)", f.dir, method.Sel.Name),
				Remedy: "say in a verify.Profile what differs; internal/verify has the one order of checks",
			})
			return true
		})
	}
	return findings
}
