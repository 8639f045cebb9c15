package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rpccode "google.golang.org/genproto/googleapis/rpc/code"

	"github.com/parley-rpc/parley/rpcerr"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The documentation says what the code says.
func TestTablesAreFresh(t *testing.T) {
	all, err := tables(root)
	if err != nil {
		t.Fatal(err)
	}
	for document, tables := range all {
		text := []byte(read(t, document))
		fresh, err := replaceTables(document, text, tables)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, fresh) {
			t.Errorf("%s is stale; run %s and commit the file", document, command)
		}
	}
}

// A peer in another language finds every reason in the protocol, with the status that it comes with.
func TestTheProtocolNamesEveryReason(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "docs/protocol.md"), "\n## Refusals\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z_]+) \| ([A-Z_]+) \|`).FindAllStringSubmatch(text, -1) {
		rows[row[1]] = row[2]
	}
	for _, reason := range rpcerr.Reasons() {
		status := rpccode.Code(reason.Code()).String()
		switch code, ok := rows[string(reason)]; {
		case ok && code != status:
			t.Errorf("docs/protocol.md has %s with %s, package rpcerr with %s", reason, code, status)
		case !ok && !strings.Contains(text, string(reason)):
			t.Errorf("docs/protocol.md does not name %s", reason)
		}
		delete(rows, string(reason))
	}
	for name := range rows {
		t.Errorf("docs/protocol.md names %s, which package rpcerr does not have", name)
	}
}

// A reader of the configuration keys gets from a key to its section.
func TestLinksToSections(t *testing.T) {
	text := read(t, "docs/configuration.md")
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		sections[anchor(heading[1])] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(text, -1)
	for _, link := range links {
		if !sections[link[1]] {
			t.Errorf("the link to #%s leads to no section", link[1])
		}
	}
	if len(links) < 30 {
		t.Errorf("there are only %d links", len(links))
	}
}

func TestComments(t *testing.T) {
	for name, test := range map[string]struct{ said, meaning, byDefault string }{
		"none":       {"The time.", "The time.", ""},
		"at the end": {"The time. At most 5m. Default: 1s.", "The time. At most 5m.", "1s"},
		"a number":   {"A ratio. Default: 0.1.", "A ratio.", "0.1"},
		"inside":     {"A proxy. Default: no proxy. Others are not used.", "A proxy. Others are not used.", "no proxy"},
		"of a case":  {"Claims. Default without a provider: jti. In a file.", "Claims. In a file.", "jti without a provider"},
	} {
		if meaning, byDefault := split(test.said); meaning != test.meaning || byDefault != test.byDefault {
			t.Errorf("%s: got %q, %q", name, meaning, byDefault)
		}
	}
	c := comments{}
	err := c.read("package a.v1;\n// M is\n// one.\nmessage M {\n  // F.\n  optional string f = 1;\n}\n" +
		"// E.\nenum E {\n  // V.\n  E_V = 0;\n}\n")
	if err != nil || c["a.v1.M"] != "M is one." || c["a.v1.M.f"] != "F." || c["a.v1.E_V"] != "V." {
		t.Errorf("got %v, %v", c, err)
	}
	if err := c.read("}\n"); err == nil {
		t.Error("a block that did not begin is no mistake")
	}
}
