// Command generate writes the tables of docs/observability.md of the module in whose folder it runs.
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
	path := filepath.Join(root, filepath.FromSlash(document))
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err = replaceTables(text)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644) //nolint:gosec // documentation
}
