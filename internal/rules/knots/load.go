package knots

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// listed is what go list says of one package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
	Module                  *struct{ Path, Version string }
}

// Load reads the packages of the module at dir that match the patterns ("./..."), sorted by path. It runs go list,
// which compiles what they import.
func Load(dir string, patterns ...string) ([]Package, error) {
	all, err := list(dir, patterns)
	if err != nil {
		return nil, err
	}
	module, err := ownModule(dir)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	checker := newChecker(exports)
	var packages []Package
	for _, p := range all {
		if p.DepOnly || p.Module == nil || p.Module.Path != module || len(p.GoFiles) == 0 {
			continue
		}
		references, err := checker.references(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		packages = append(packages, newPackage(relative(module, p.ImportPath), p.GoFiles, references))
	}
	slices.SortFunc(packages, func(a, b Package) int { return cmp.Compare(a.Path, b.Path) })
	return packages, nil
}

func list(dir string, patterns []string) ([]listed, error) {
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly,Module", "--"}
	out, err := goTool(dir, append(args, patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

func ownModule(dir string) (string, error) {
	out, err := goTool(dir, "list", "-m")
	return string(bytes.TrimSpace(out)), err
}

func goTool(dir string, args ...string) ([]byte, error) {
	command := exec.Command("go", args...) //nolint:gosec,noctx // the arguments are ours, and the tool runs to its end
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go %s: %s", args[0], exit.Stderr)
	}
	return out, err
}

// checker type-checks packages, which share what they import.
type checker struct {
	fset   *token.FileSet
	config types.Config
}

// newChecker returns a checker of packages whose imports are compiled, in the files that exports names by path.
func newChecker(exports map[string]string) *checker {
	fset := token.NewFileSet()
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	return &checker{fset, types.Config{Importer: importer.ForCompiler(fset, "gc", open)}}
}

// references type-checks a package and lists, for each pair of its files, what the first names of the second, each as
// often as it does: types, functions, constants, variables, methods and fields.
func (c *checker) references(p listed) (map[[2]string][]string, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	checked, err := c.config.Check(p.ImportPath, c.fset, files, info)
	if err != nil {
		return nil, err
	}
	references := map[[2]string][]string{}
	for name, object := range info.Uses {
		if object.Pkg() != checked || !shared(object) {
			continue
		}
		from, to := base(c.fset, name.Pos()), base(c.fset, object.Pos())
		if from != to {
			references[[2]string{from, to}] = append(references[[2]string{from, to}], object.Name())
		}
	}
	return references, nil
}

// shared reports whether other files can name the object.
func shared(object types.Object) bool {
	switch o := object.(type) {
	case *types.PkgName, *types.Label:
		return false
	case *types.Var:
		return o.IsField() || o.Parent() == o.Pkg().Scope()
	case *types.Func:
		return true
	default:
		return o.Parent() == o.Pkg().Scope()
	}
}

func base(fset *token.FileSet, at token.Pos) string { return filepath.Base(fset.Position(at).Filename) }

// relative is the path of a package below its module; the module's own is ".".
func relative(module, path string) string {
	if path == module {
		return "."
	}
	return path[len(module)+1:]
}
