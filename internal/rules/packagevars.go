package rules

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// packageVars yields the names that a file declares as package variables, each with its declaration.
func packageVars(f *file) func(yield func(*ast.Ident, variable) bool) {
	return func(yield func(*ast.Ident, variable) bool) {
		for _, decl := range f.syntax.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, s := range group.Specs {
				spec := s.(*ast.ValueSpec)
				for i, name := range spec.Names {
					v := variable{embed: embeds(spec.Doc) || embeds(group.Doc)}
					if i < len(spec.Values) {
						v.value = spec.Values[i]
					}
					if !yield(name, v) {
						return
					}
				}
			}
		}
	}
}

// variable is the right side of a declaration.
type variable struct {
	value ast.Expr // nil without one
	embed bool
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil &&
		slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}
