package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// comments are the comments of a .proto file, by the full name of what they are about. Descriptors do not have them,
// because generated code leaves them out.
type comments map[protoreflect.FullName]string

// readComments reads the comments of .proto files in the form that "buf format" gives them.
func readComments(root string, files ...string) (comments, error) {
	found := comments{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file))) //nolint:gosec // a file of this module
		if err != nil {
			return nil, err
		}
		if err := found.read(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return found, nil
}

var (
	packageLine = regexp.MustCompile(`^package ([\w.]+);$`)
	blockLine   = regexp.MustCompile(`^(?:message|enum|extend) ([\w.]+) \{(\}?)$`)
	fieldLine   = regexp.MustCompile(`^(?:(?:optional |repeated )?[\w.]+|map<\w+, [\w.]+>) (\w+) = \d+;$`)
	valueLine   = regexp.MustCompile(`^([A-Z][A-Z0-9_]*) = \d+;$`)
)

func (c comments) read(text string) error {
	var scope []string // the package, and the blocks that are open
	var comment []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if said, ok := strings.CutPrefix(line, "//"); ok {
			comment = append(comment, strings.TrimSpace(said))
			continue
		}
		said := strings.Join(comment, " ")
		comment = nil
		keep := func(path ...string) { c[protoreflect.FullName(strings.Join(path, "."))] = said }
		inside := func(name string) []string { return append(slices.Clip(scope), name) }
		var found []string
		is := func(form *regexp.Regexp) bool {
			found = form.FindStringSubmatch(line)
			return found != nil
		}
		switch {
		case is(packageLine):
			scope = []string{found[1]}
		case is(blockLine):
			keep(inside(found[1])...)
			if found[2] == "" {
				scope = append(scope, found[1])
			}
		case is(fieldLine):
			keep(inside(found[1])...)
		case is(valueLine) && len(scope) > 1:
			keep(append(scope[:len(scope)-1:len(scope)-1], found[1])...) // a value is named beside its enum
		case line == "}":
			if len(scope) < 2 {
				return errors.New("a block ends that did not begin")
			}
			scope = scope[:len(scope)-1]
		}
	}
	return nil
}
