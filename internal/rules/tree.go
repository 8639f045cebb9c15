package rules

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Module is the path of the root module.
const Module = "github.com/parley-rpc/parley"

// Tree is the source of a repository.
type Tree struct {
	fsys  fs.FS
	fset  *token.FileSet
	files []*file
}

// file is one Go file.
type file struct {
	path string // from the root of the repository, with slashes
	dir  string // its folder; "." is the root
	// module is the folder of the module that the file belongs to; "." is the root module.
	module  string
	syntax  *ast.File
	test    bool
	imports map[string]string // import path by the name that the file uses for it
	virtual bool              // whether the tests of its folder run in bubbles of testing/synctest
	source  []byte
}

// Load parses every Go file below fsys that people wrote, and skips what they did not: generated code, test data,
// hidden folders and built tools.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{fsys: fsys, fset: token.NewFileSet()}
	modules := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skipped(name) {
				return fs.SkipDir
			}
			modules[name] = modules[path.Dir(name)]
			if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil || name == "." {
				modules[name] = name
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		return t.parse(name, modules[path.Dir(name)])
	})
	t.noteVirtual()
	return t, err
}

// noteVirtual marks the files of every folder in which time is virtual: one of them imports testing/synctest.
func (t *Tree) noteVirtual() {
	virtual := map[string]bool{}
	for _, f := range t.files {
		if f.imports["synctest"] == "testing/synctest" {
			virtual[f.dir] = true
		}
	}
	for _, f := range t.files {
		f.virtual = virtual[f.dir]
	}
}

func skipped(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || dir == "bin" || dir == "gen" || dir != "." && strings.HasPrefix(base, ".")
}

func (t *Tree) parse(name, module string) error {
	source, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, source, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	if ast.IsGenerated(syntax) {
		return nil
	}
	f := &file{
		path:    name,
		dir:     path.Dir(name),
		module:  module,
		syntax:  syntax,
		test:    strings.HasSuffix(name, "_test.go"),
		imports: map[string]string{},
		source:  source,
	}
	for _, spec := range syntax.Imports {
		f.imports[localName(spec)] = importPath(spec)
	}
	t.files = append(t.files, f)
	return nil
}

// program reports whether the file is part of a program rather than of a library.
func (f *file) program() bool {
	return f.syntax.Name.Name == "main" || under(f.dir, "examples")
}

// pkg identifies the package of the file; an external test package is one of its own.
func (f *file) pkg() string { return f.dir + " " + f.syntax.Name.Name }

func (t *Tree) at(n ast.Node) token.Position { return t.fset.Position(n.Pos()) }

// lines reads a text file of the repository without its comments and empty lines.
func (t *Tree) lines(name string) ([]string, error) {
	content, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return nil, err
	}
	return contentLines(content), nil
}

func contentLines(content []byte) []string {
	var lines []string
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		if text != "" && !strings.HasPrefix(text, "#") {
			lines = append(lines, text)
		}
	}
	return lines
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return "" // the parser has refused such a file
	}
	return p
}

var versionSuffix = regexp.MustCompile(`(^|[./])v\d+$`)

func localName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path.Base(strings.TrimSuffix(versionSuffix.ReplaceAllString(importPath(spec), ""), "/"))
}

// under reports whether the slash path p is dir or lies below it.
func under(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
