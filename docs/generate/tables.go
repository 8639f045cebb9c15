package main

import (
	"bytes"
	"fmt"
	"strings"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"

	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/rpcerr"
)

// command is what writes the tables anew.
const command = "go run ./docs/generate"

// tables are the tables of each document, by the name in the comments around them. Root is the folder of the module.
func tables(root string) (map[string]map[string]string, error) {
	said, err := readComments(root, schemaFiles()...)
	if err != nil {
		return nil, err
	}
	configuration, err := configurationTables(said)
	return map[string]map[string]string{
		"docs/observability.md": {
			"span attributes": spanAttributes(),
			"events":          events(),
			"metrics":         metrics(),
			"labels":          labels(),
			"refusals":        refusals(),
			"stop reasons":    stopReasons(),
		},
		"docs/auth.md":          {"operators": claimOperators(said)},
		"docs/configuration.md": configuration,
	}, err
}

// replaceTables puts each table of a document between the comments that name it. A table without a place is an error.
func replaceTables(document string, text []byte, tables map[string]string) ([]byte, error) {
	for name, table := range tables {
		begin, end := fmt.Sprintf("<!-- begin %s: %s -->\n", name, command), fmt.Sprintf("<!-- end %s -->\n", name)
		before, rest, ok := bytes.Cut(text, []byte(begin))
		_, after, closed := bytes.Cut(rest, []byte(end))
		if !ok || !closed {
			return nil, fmt.Errorf("%s has no place for the table of %s; put %q and %q where it belongs", document, name,
				begin, end)
		}
		text = bytes.Join([][]byte{before, []byte(begin), []byte(table), []byte(end), after}, nil)
	}
	return text, nil
}

func spanAttributes() string {
	var table strings.Builder
	table.WriteString("| attribute | on | value |\n|---|---|---|\n")
	for _, a := range vocabulary.SpanAttributes() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", a.Name, strings.Join(a.On, ", "), a.Meaning)
	}
	return table.String()
}

func events() string {
	var table strings.Builder
	table.WriteString("| event | on | attributes | what happened |\n|---|---|---|---|\n")
	for _, e := range vocabulary.Events() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", e.Name, e.On, code(e.Attributes), e.Meaning)
	}
	return table.String()
}

func metrics() string {
	var table strings.Builder
	table.WriteString("| metric | type | attributes | what it measures |\n|---|---|---|---|\n")
	for _, m := range vocabulary.Metrics() {
		kind := string(m.Kind)
		if !strings.HasPrefix(m.Unit, "{") {
			kind += ", " + m.Unit
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, kind, code(m.Attributes), m.Meaning)
	}
	return table.String()
}

func labels() string {
	var table strings.Builder
	table.WriteString("| attribute of metrics | value |\n|---|---|\n")
	for _, a := range vocabulary.Labels() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", a.Name, a.Meaning)
	}
	return table.String()
}

func stopReasons() string {
	var table strings.Builder
	table.WriteString("| stop reason | why there was no further attempt | counted as suppressed |\n|---|---|---|\n")
	for _, r := range vocabulary.StopReasons() {
		meaning, suppressed := r.Meaning, ""
		if meaning == "" {
			meaning = "the call succeeded"
		}
		if r.Suppressed {
			suppressed = "yes"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", r.Name, meaning, suppressed)
	}
	return table.String()
}

func refusals() string {
	var table strings.Builder
	table.WriteString("| reason | status | when |\n|---|---|---|\n")
	for _, r := range rpcerr.Reasons() {
		status := rpccode.Code(r.Code()) //nolint:gosec // codes are small
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", string(r), status, r.Meaning())
	}
	return table.String()
}

func code(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
