// Package defaults writes docs/defaults.md: one table of every default and limit of Parley, made from the files named
// defaults.go, so that the documentation cannot differ from the code.
package defaults

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Path is where the table belongs, from the root of the module.
const Path = "docs/defaults.md"

// Command is what writes the table anew.
const Command = "go run ./internal/defaults/generate"

// Render returns the table of all constants in files named defaults.go below root, the root of a module. Nested
// modules, testdata and folders that begin with a dot do not belong to it. Its error joins every constant that has no
// comment or whose value cannot be read.
func Render(root string) ([]byte, error) {
	folders, err := find(root)
	if err != nil {
		return nil, err
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, `# Defaults and limits

Every default time, size and count of Parley, and its fixed limits. Names
in lower case are not part of the API. This file is written by `+"`%s`"+` from the code that uses the
values.

| package | name | value | meaning |
|---|---|---|---|
`, Command)
	var errs []error
	for _, folder := range folders {
		found, err := read(root, folder)
		errs = append(errs, err)
		for _, c := range found {
			fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", folder, c.name, cell(c.value), cell(c.meaning))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return table.Bytes(), nil
}

// Root returns the root of the module that holds dir.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "go.mod")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s belongs to no Go module; change into one", dir)
		}
	}
}

// find lists the folders that have defaults, from root, sorted.
func find(root string) ([]string, error) {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			if entry.Name() == fileName {
				folder, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				folders = append(folders, filepath.ToSlash(folder))
			}
			return nil
		}
		skipped := entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") || exists(filepath.Join(path, "go.mod"))
		if path != root && skipped {
			return filepath.SkipDir
		}
		return nil
	})
	slices.Sort(folders)
	return folders, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
