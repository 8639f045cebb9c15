package defaults

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// fileName is the name of the files that hold defaults.
const fileName = "defaults.go"

// entry is one row of the table.
type entry struct {
	name, value, meaning string
}

// read returns the constants in the defaults.go of a folder, in its order.
func read(root, folder string) ([]entry, error) {
	fset := token.NewFileSet()
	files, defaults, err := parse(fset, filepath.Join(root, folder))
	if err != nil {
		return nil, err
	}
	// Types are checked without imports: all but the constants may remain unknown.
	known := types.Info{Defs: map[*ast.Ident]types.Object{}}
	checker := types.Config{Importer: onlyTime{}, IgnoreFuncBodies: true, Error: func(error) {}}
	_, _ = checker.Check(folder, fset, files, &known)

	var entries []entry
	var errs []error
	for _, decl := range defaults.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			stated, _ := spec.(*ast.ValueSpec)
			comment := meaning(group, stated)
			for _, name := range stated.Names {
				value, ok := show(known.Defs[name], name.Name+" "+comment)
				where := fmt.Sprintf("%s/%s:%d: %s", folder, fileName, fset.Position(name.Pos()).Line, name.Name)
				if comment == "" {
					errs = append(errs, fmt.Errorf("%s has no comment; say in one sentence what it is", where))
				}
				if !ok {
					errs = append(errs, fmt.Errorf("%s has a value that cannot be read; make it of literals, the units of time "+
						"and other constants of the package", where))
				}
				entries = append(entries, entry{name.Name, value, strip(name.Name, comment)})
			}
		}
	}
	return entries, errors.Join(errs...)
}

// parse parses a folder and returns its files, and the one that is named defaults.go. Constants may be made of those in
// other files.
func parse(fset *token.FileSet, folder string) (files []*ast.File, defaults *ast.File, err error) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if name.IsDir() || !strings.HasSuffix(name.Name(), ".go") || strings.HasSuffix(name.Name(), "_test.go") {
			continue
		}
		mode := parser.SkipObjectResolution
		if name.Name() == fileName {
			mode |= parser.ParseComments
		}
		file, err := parser.ParseFile(fset, filepath.Join(folder, name.Name()), nil, mode)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, file)
		if name.Name() == fileName {
			defaults = file
		}
	}
	return files, defaults, nil
}

// meaning is the comment above a constant, or behind it, on one line.
func meaning(group *ast.GenDecl, stated *ast.ValueSpec) string {
	comment := stated.Doc
	if comment == nil {
		comment = stated.Comment
	}
	if comment == nil && !group.Lparen.IsValid() {
		comment = group.Doc
	}
	return strings.Join(strings.Fields(comment.Text()), " ")
}

// strip takes the name off the front of a comment, which stands in a cell of its own: "maxLinks is how many links" is
// "How many links".
func strip(name, comment string) string {
	rest, ok := strings.CutPrefix(comment, name+" ")
	if !ok {
		return comment
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
	first, size := utf8.DecodeRuneInString(rest)
	return string(unicode.ToUpper(first)) + rest[size:]
}

// onlyTime imports package time, as far as constants need it, and nothing else.
type onlyTime struct{}

func (onlyTime) Import(path string) (*types.Package, error) {
	if path != "time" {
		return nil, fmt.Errorf("%s is not read", path)
	}
	pkg := types.NewPackage("time", "time")
	name := types.NewTypeName(token.NoPos, pkg, "Duration", nil)
	duration := types.NewNamed(name, types.Typ[types.Int64], nil)
	pkg.Scope().Insert(name)
	for unit, length := range map[string]time.Duration{
		"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
		"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
	} {
		pkg.Scope().Insert(types.NewConst(token.NoPos, pkg, unit, duration, constant.MakeInt64(int64(length))))
	}
	pkg.MarkComplete()
	return pkg, nil
}
