// Command generate writes docs/defaults.md of the module in whose folder it runs.
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
	table, err := defaults.Render(root)
	if err != nil {
		return err
	}
	path := filepath.Join(root, filepath.FromSlash(defaults.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a folder of documentation
		return err
	}
	return os.WriteFile(path, table, 0o644) //nolint:gosec // documentation
}
