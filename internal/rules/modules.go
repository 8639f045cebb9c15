package rules

import (
	"fmt"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ModuleList names the nested modules, each with how it is tested and its reason.
const ModuleList = "internal/modules.txt"

// NestedModule is a module below the root.
type NestedModule struct {
	// Dir is its folder.
	Dir string
	// Tests says how its tests are run, in one of the words that the list explains.
	Tests string
	// Reason says why it is a module of its own.
	Reason string
}

// testWords are the words for how a module is tested.
func testWords() []string {
	return []string{"race", "beside", "plain", "ci", "own", "apart", "tool", "pin"}
}

// ParseModules reads the list of nested modules. What a line lacks is empty.
func ParseModules(content []byte) []NestedModule {
	var modules []NestedModule
	for _, line := range contentLines(content) {
		fields := strings.Fields(line)
		m := NestedModule{Dir: fields[0]}
		if len(fields) > 1 {
			m.Tests, m.Reason = fields[1], strings.Join(fields[2:], " ")
		}
		modules = append(modules, m)
	}
	return modules
}

// checkModules compares the list of nested modules with the tree, and keeps the root module installable:
// "go install module@version" refuses a go.mod with a replace.
func checkModules(t *Tree) []Finding {
	var findings []Finding
	report := func(file string, line int, what, remedy string) {
		findings = append(findings, Finding{Pos: token.Position{Filename: file, Line: line}, What: what, Remedy: remedy})
	}
	present, err := t.nestedModules()
	if err != nil {
		report(".", 0, err.Error(), "make the tree readable")
	}
	listed, err := t.listedModules()
	if err != nil {
		report(ModuleList, 0, err.Error(), "list every nested module there, one a line, with the reason why it is one")
	}
	for _, dir := range present {
		if !slices.ContainsFunc(listed, func(m NestedModule) bool { return m.Dir == dir }) {
			report(path.Join(dir, "go.mod"), 1, "this module is not listed in "+ModuleList,
				"list it, with how it is tested and the reason why it is a module of its own")
		}
	}
	for _, m := range listed {
		switch {
		case !slices.Contains(present, m.Dir):
			report(ModuleList, 0, m.Dir+" is listed and has no go.mod", "remove it from the list")
		case !slices.Contains(testWords(), m.Tests):
			report(ModuleList, 0, m.Dir+" is listed without how it is tested",
				"write one of "+strings.Join(testWords(), ", ")+" behind it")
		case m.Reason == "":
			report(ModuleList, 0, m.Dir+" is listed without a reason", "write the reason behind it")
		}
	}
	lines, err := t.lines("go.mod")
	if err != nil {
		report("go.mod", 0, err.Error(), "the rules run at the root of the repository")
	}
	for _, line := range lines {
		if directive, _, _ := strings.Cut(line, " "); directive == "replace" || directive == "exclude" {
			report("go.mod", 0, fmt.Sprintf("the root module has a %s", directive),
				"do without; go install refuses such a module")
		}
	}
	if _, err := fs.Stat(t.fsys, "go.work"); err == nil {
		report("go.work", 1, "a workspace hides what each module requires", "remove it, or set GOWORK=off")
	}
	return findings
}

// nestedModules lists the folders below the root that have a go.mod.
func (t *Tree) nestedModules() ([]string, error) {
	var dirs []string
	err := fs.WalkDir(t.fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case entry.Name() == "go.mod" && name != "go.mod":
			dirs = append(dirs, path.Dir(name))
		}
		return nil
	})
	return dirs, err
}

func (t *Tree) listedModules() ([]NestedModule, error) {
	content, err := fs.ReadFile(t.fsys, ModuleList)
	return ParseModules(content), err
}
