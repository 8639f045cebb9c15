package rules_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/parley-rpc/parley/internal/rules"
)

// root is the root of the repository, as the tests of this package see it.
const root = "../.."

func TestHouseRules(t *testing.T) {
	tree, err := rules.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if update() {
		lowered, err := tree.LoweredLongLines()
		if err == nil {
			err = os.WriteFile(filepath.Join(root, rules.LongLines), lowered, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, rule := range rules.All() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, finding := range rule.Check(tree) {
				t.Error(finding)
			}
		})
	}
}

// TestEachRuleFinds runs each rule over its fixture, testdata/<name>. A comment such as
//
//	// want `what it says`
//
// stands on each line that the rule must find; on every other line it must find nothing. A finding without a line
// belongs to the whole file.
func TestEachRuleFinds(t *testing.T) {
	for _, rule := range rules.All() {
		t.Run(rule.Name, func(t *testing.T) {
			fixture := os.DirFS("testdata/" + rule.Name)
			tree, err := rules.Load(fixture)
			if err != nil {
				t.Fatal(err)
			}
			wants := readWants(t, fixture)
			if len(wants) == 0 {
				t.Fatal("the fixture wants nothing, so the rule could be blind")
			}
			for _, finding := range rule.Check(tree) {
				if finding.Remedy == "" {
					t.Errorf("no remedy: %v", finding)
				}
				if !meet(wants, finding) {
					t.Errorf("not wanted: %v", finding)
				}
			}
			for _, w := range wants {
				if !w.met {
					t.Errorf("%s:%d: nothing like %q was found", w.file, w.line, w.text)
				}
			}
		})
	}
}

// want is one finding that a fixture asks for.
type want struct {
	file string
	line int
	text *regexp.Regexp
	met  bool
}

func readWants(t *testing.T, fixture fs.FS) []*want {
	t.Helper()
	mark := regexp.MustCompile("// want `([^`]+)`")
	var wants []*want
	err := fs.WalkDir(fixture, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fixture, name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(content), "\n") {
			for _, found := range mark.FindAllStringSubmatch(line, -1) {
				text, err := regexp.Compile(found[1])
				if err != nil {
					return fmt.Errorf("%s:%d: %w", name, i+1, err)
				}
				wants = append(wants, &want{file: name, line: i + 1, text: text})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return wants
}

func meet(wants []*want, finding rules.Finding) bool {
	for _, w := range wants {
		sameLine := w.line == finding.Pos.Line || finding.Pos.Line == 0
		if !w.met && w.file == finding.Pos.Filename && sameLine && w.text.MatchString(finding.What) {
			w.met = true
			return true
		}
	}
	return false
}

func TestLoadRefusesWhatDoesNotParse(t *testing.T) {
	_, err := rules.Load(fstest.MapFS{"broken.go": {Data: []byte("package broken\n\nfunc {\n")}})
	if err == nil || !strings.Contains(err.Error(), "broken.go") {
		t.Errorf("got %v, want an error that names broken.go", err)
	}
}
