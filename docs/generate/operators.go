package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// schema is where the conditions on claims are declared.
const schema = "proto/parley/policy/v1/policy.proto"

// claimOperators is a table of the operators of conditions on claims, with the comments that the schema has for them.
func claimOperators(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(schema))) //nolint:gosec // a file of this module
	if err != nil {
		return "", err
	}
	_, claim, ok := strings.Cut(string(text), "\nmessage Claim {\n")
	claim, _, closed := strings.Cut(claim, "\n}\n")
	if !ok || !closed {
		return "", fmt.Errorf("%s has no message Claim", schema)
	}
	var table strings.Builder
	table.WriteString("| operator | holds when |\n|---|---|\n")
	field := regexp.MustCompile(`^(?:optional|repeated) \S+ (\w+) = \d+;$`)
	var comment []string
	for line := range strings.Lines(claim) {
		line = strings.TrimSpace(line)
		if said, ok := strings.CutPrefix(line, "// "); ok {
			comment = append(comment, said)
			continue
		}
		if found := field.FindStringSubmatch(line); found != nil && !slices.Contains([]string{"path", "split"}, found[1]) {
			fmt.Fprintf(&table, "| `%s` | %s |\n", found[1], strings.Join(comment, " "))
		}
		comment = nil
	}
	return table.String(), nil
}
