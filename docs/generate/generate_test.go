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
