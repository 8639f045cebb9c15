package rules

import (
	"go/ast"
	"go/token"
)

// changes returns the places in a file that assign to one of the named package variables or to a part of it, or that
// take its address.
func changes(f *file, vars map[string]bool) []*ast.Ident {
	var places []*ast.Ident
	mark := func(target ast.Expr) {
		if name := root(target); name != nil && vars[name.Name] && !local(f, name) {
			places = append(places, name)
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				break
			}
			for _, target := range n.Lhs {
				mark(target)
			}
		case *ast.IncDecStmt:
			mark(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				mark(n.Key)
				mark(n.Value)
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				mark(n.X)
			}
		case *ast.CallExpr:
			if builtin, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 &&
				(builtin.Name == "delete" || builtin.Name == "clear" || builtin.Name == "copy") {
				mark(n.Args[0])
			}
		}
		return true
	})
	return places
}

// root returns the variable that an expression such as table[key].field changes, or nil.
func root(target ast.Expr) *ast.Ident {
	for {
		switch e := target.(type) {
		case *ast.Ident:
			return e
		case *ast.IndexExpr:
			target = e.X
		case *ast.SelectorExpr:
			target = e.X
		case *ast.StarExpr:
			target = e.X
		case *ast.ParenExpr:
			target = e.X
		case *ast.SliceExpr:
			target = e.X
		default:
			return nil
		}
	}
}

// local reports whether a name is declared inside a function, so that it is not the package variable of that name.
func local(f *file, name *ast.Ident) bool {
	if name.Obj == nil {
		return false
	}
	for v := range packageVars(f) {
		if v.Obj == name.Obj {
			return false
		}
	}
	return true
}
