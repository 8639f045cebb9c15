package rules

import (
	"fmt"
	"go/ast"
	"path"
	"strings"
)

// checkOptions refuses an option, an exported func With..., that neither a test nor an example uses: no user needs it,
// or it was never tried.
func checkOptions(t *Tree) []Finding {
	used := map[string]bool{}
	for _, f := range t.files {
		if f.test || under(f.dir, "examples") {
			f.noteUses(used)
		}
	}
	var findings []Finding
	for _, f := range t.files {
		if f.test || f.program() || strings.Contains("/"+f.dir+"/", "/internal/") {
			continue
		}
		for _, decl := range f.syntax.Decls {
			option, ok := decl.(*ast.FuncDecl)
			if !ok || option.Recv != nil || !isOption(option.Name.Name) || used[f.dir+"."+option.Name.Name] {
				continue
			}
			findings = append(findings, Finding{
				Pos: t.at(option.Name), What: fmt.Sprintf("no test and no example uses the option %s", option.Name.Name),
				Remedy: "show it in an example or test it, or delete it",
			})
		}
	}
	return findings
}

// noteUses notes the names of Parley's packages that a file uses, each as folder and name.
func (f *file) noteUses(used map[string]bool) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				if dir, ours := strings.CutPrefix(f.imports[x.Name], Module+"/"); ours {
					used[path.Clean(dir)+"."+n.Sel.Name] = true
				}
			}
		case *ast.Ident:
			used[f.dir+"."+n.Name] = true
		}
		return true
	})
}

func isOption(name string) bool {
	rest, ok := strings.CutPrefix(name, "With")
	return ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z'
}
