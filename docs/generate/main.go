// Command generate writes the tables of docs/observability.md, docs/auth.md and docs/configuration.md of the module in
// whose folder it runs.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/defaults"
)

func main() {
	if err := generate(); err != nil {
		log.Fatal(err)
	}
}

func generate() error {
	root, err := defaults.Root(".")
	if err != nil {
		return err
	}
	all, err := tables(root)
	if err != nil {
		return err
	}
	for document, tables := range all {
		path := filepath.Join(root, filepath.FromSlash(document))
		text, err := os.ReadFile(path) //nolint:gosec // one of the documents above
		if err != nil {
			return err
		}
		if text, err = replaceTables(document, text, tables); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // documentation
			return err
		}
	}
	return nil
}
