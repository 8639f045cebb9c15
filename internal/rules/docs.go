package rules

import (
	"fmt"
	"go/ast"
	"go/doc"
	"slices"
	"strings"
)

// pkg is what the documentation rules know of one package that is not a test.
type pkg struct {
	first    *file // where a finding points
	commands bool  // package main
	comments []*file
	exports  bool
	examples int
}

func checkDocs(t *Tree) []Finding {
	var findings []Finding
	for _, dir := range t.folders() {
		p := t.survey(dir)
		if p.first == nil {
			continue
		}
		where := t.at(p.first.syntax.Name)
		report := func(what, remedy string) {
			findings = append(findings, Finding{Pos: where, What: what, Remedy: remedy})
		}
		name := p.first.syntax.Name.Name
		switch {
		case len(p.comments) == 0:
			report(fmt.Sprintf("package %s has no comment", dir), "say in one file, before the package clause, what it is for")
		case len(p.comments) > 1:
			report(fmt.Sprintf("package %s has comments in %s and in %s", dir, p.comments[0].path, p.comments[1].path),
				"keep one")
		case !p.commands && !strings.HasPrefix(p.comments[0].syntax.Doc.Text(), "Package "+name+" "):
			report(fmt.Sprintf("the comment of package %s does not begin with its name", dir),
				fmt.Sprintf("begin it with \"Package %s \"", name))
		}
		if p.public(dir) && p.examples == 0 {
			report(fmt.Sprintf("public package %s has no example that runs", dir),
				"write a func Example that ends with an // Output: comment, in a package "+name+"_test")
		}
	}
	return findings
}

// survey collects the facts of one package.
func (t *Tree) survey(dir string) pkg {
	var p pkg
	for _, f := range t.files {
		if f.dir != dir {
			continue
		}
		if f.test {
			for _, example := range doc.Examples(f.syntax) {
				if example.Output != "" || example.EmptyOutput {
					p.examples++
				}
			}
			continue
		}
		if p.first == nil {
			p.first = f
		}
		p.commands = p.commands || f.syntax.Name.Name == "main"
		p.exports = p.exports || exports(f.syntax)
		if f.syntax.Doc.Text() != "" {
			p.comments = append(p.comments, f)
		}
	}
	return p
}

// public reports whether users of Parley may import the package.
func (p pkg) public(dir string) bool {
	inside := strings.Contains("/"+dir+"/", "/internal/") || under(dir, "examples") || under(dir, "test") ||
		under(dir, "bench")
	return p.exports && !p.commands && !inside
}

// folders lists the folders that have Go files, in order.
func (t *Tree) folders() []string {
	var folders []string
	for _, f := range t.files {
		folders = append(folders, f.dir)
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

func exports(f *ast.File) bool {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				return true
			}
		case *ast.GenDecl:
			if slices.ContainsFunc(d.Specs, exportsName) {
				return true
			}
		}
	}
	return false
}

func exportsName(spec ast.Spec) bool {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.IsExported()
	case *ast.ValueSpec:
		return slices.ContainsFunc(s.Names, (*ast.Ident).IsExported)
	}
	return false
}
