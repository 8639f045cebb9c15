package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkState refuses package variables, except those that nothing can change:
//
//   - var _ I = ..., an assertion at compile time;
//   - errors: errName or ErrName, made by errors.New, fmt.Errorf or status.Error. Only they may be exported;
//   - values that //go:embed fills;
//   - values compiled from constants by one of the functions in compilers;
//   - tables: composite literals and []byte("...") of constants, of such compiled values and of functions.
//
// No code of the package, tests included, may assign to such a variable or to a part of it, or take its address.
func checkState(t *Tree) []Finding {
	var findings []Finding
	vars := map[string]map[string]bool{} // by folder and package
	for _, f := range t.files {
		if f.test {
			continue
		}
		of := vars[f.pkg()]
		if of == nil {
			of = map[string]bool{}
			vars[f.pkg()] = of
		}
		for name, v := range packageVars(f) {
			if name.Name == "_" {
				continue
			}
			of[name.Name] = true
			if what, remedy := f.judge(name, v); what != "" {
				findings = append(findings, Finding{Pos: t.at(name), What: what, Remedy: remedy})
			}
		}
	}
	for _, f := range t.files {
		for _, place := range changes(f, vars[f.pkg()]) {
			findings = append(findings, Finding{
				Pos: t.at(place), What: "package variable " + place.Name + " is changed",
				Remedy: "pass it in, or keep it in a value",
			})
		}
	}
	return findings
}

// compilers lists the functions that compile constants into a value that never changes.
func compilers() map[string][]string {
	return map[string][]string{
		"regexp":        {"MustCompile"},
		"html/template": {"Must"},
		"text/template": {"Must"},
		"strings":       {"NewReplacer", "Repeat"},
		"encoding/base64": {
			"RawURLEncoding.Strict", "URLEncoding.Strict", "StdEncoding.Strict", "RawStdEncoding.Strict",
		},
		"net/netip":                          {"MustParseAddr", "MustParsePrefix"},
		"reflect":                            {"TypeFor"},
		"time":                               {"Date", "Unix"},
		"go.opentelemetry.io/otel/attribute": {"Key", "String", "Int", "Bool", "NewSet"},
	}
}

// judge says what is wrong with a package variable and what to do, or "".
func (f *file) judge(name *ast.Ident, v variable) (what, remedy string) {
	exported := name.IsExported()
	if f.sentinel(v.value) {
		if named := strings.TrimLeft(name.Name, "eE"); strings.HasPrefix(named, "rr") {
			return "", ""
		}
		return fmt.Sprintf("error %s is not named like one", name.Name), "name it errX or ErrX"
	}
	switch {
	case exported:
		what = fmt.Sprintf("exported package variable %s", name.Name)
		return what, "make it a constant or a function; anyone can assign to it"
	case v.embed, f.constant(v.value):
		return "", ""
	}
	what = fmt.Sprintf("package variable %s is state", name.Name)
	return what, "make it a constant, a function, or a field of a value (internal/rules/state.go lists what may stay)"
}

// sentinel reports whether an expression makes a plain error: by a function, or as the empty value of an error type of
// the package, which may carry a gRPC status.
func (f *file) sentinel(value ast.Expr) bool {
	if literal, ok := value.(*ast.CompositeLit); ok && len(literal.Elts) == 0 {
		kind, local := literal.Type.(*ast.Ident)
		return local && strings.HasSuffix(kind.Name, "Error")
	}
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	pkg, name := f.callee(call.Fun)
	return pkg == "errors" && name == "New" || pkg == "fmt" && name == "Errorf" ||
		pkg == "google.golang.org/grpc/status" && (name == "Error" || name == "Errorf")
}

// constant reports whether an expression, judged by its syntax, is made of constants and functions alone.
func (f *file) constant(value ast.Expr) bool {
	switch e := value.(type) {
	case *ast.BasicLit, *ast.FuncLit:
		return true
	case *ast.ParenExpr:
		return f.constant(e.X)
	case *ast.CompositeLit:
		pkg, _ := f.callee(e.Type)
		if pkg == "sync" || pkg == "sync/atomic" {
			return false
		}
		return !slices.ContainsFunc(e.Elts, func(element ast.Expr) bool { return !f.part(element) })
	case *ast.CallExpr:
		if _, conversion := e.Fun.(*ast.ArrayType); conversion {
			return !slices.ContainsFunc(e.Args, func(arg ast.Expr) bool { return !f.part(arg) })
		}
		pkg, name := f.callee(e.Fun)
		return slices.Contains(compilers()[pkg], name)
	}
	return false
}

// part reports whether an expression may stand inside a table. There a name may stand for a constant or a function.
func (f *file) part(value ast.Expr) bool {
	switch e := value.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		return true
	case *ast.KeyValueExpr:
		return f.part(e.Key) && f.part(e.Value)
	case *ast.BinaryExpr:
		return f.part(e.X) && f.part(e.Y)
	case *ast.UnaryExpr:
		return e.Op != token.AND && f.part(e.X)
	}
	return f.constant(value)
}

// callee returns the package and the dotted name of what an expression names, or "", "".
func (f *file) callee(fun ast.Expr) (pkg, name string) {
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := selector.X.(*ast.Ident); ok {
		return f.imports[x.Name], selector.Sel.Name
	}
	pkg, name = f.callee(selector.X)
	if index, ok := selector.X.(*ast.IndexExpr); ok {
		return f.callee(index.X)
	}
	return pkg, name + "." + selector.Sel.Name
}
