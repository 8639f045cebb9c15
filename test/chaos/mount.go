package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// mount is a folder that is exchanged as Kubernetes exchanges a ConfigMap: the files are links through ..data, which is
// a link to the folder of the present version.
type mount struct {
	folder  string
	version int
}

// set exchanges all files for others.
func (m *mount) set(files map[string]string) error {
	m.version++
	version := fmt.Sprintf("..version-%d", m.version)
	if err := os.MkdirAll(filepath.Join(m.folder, version), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(m.folder, version, name), []byte(text), 0o600); err != nil {
			return err
		}
		link := filepath.Join(m.folder, name)
		if err := os.Symlink(filepath.Join("..data", name), link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	before, _ := os.Readlink(filepath.Join(m.folder, "..data"))
	next := filepath.Join(m.folder, "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(m.folder, "..data")); err != nil {
		return err
	}
	entries, err := os.ReadDir(m.folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, wanted := files[entry.Name()]; !wanted && entry.Name()[0] != '.' {
			if err := os.Remove(filepath.Join(m.folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(m.folder, before))
}
