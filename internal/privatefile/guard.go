package privatefile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Error names a file or folder that is not believed.
type Error struct {
	// Path is the place, Problem what is wrong with it, Remedy what to do about it.
	Path, Problem, Remedy string
}

func (e *Error) Error() string { return e.Path + ": " + e.Problem + "; " + e.Remedy }

const (
	othersWrite = 0o022
	othersUse   = 0o077
)

// checkPath checks every folder that leads to the last element of a path without symbolic links.
func checkPath(path string) error {
	for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
		info, err := os.Lstat(parent)
		if err != nil {
			return err
		}
		if err := checkOwner(parent, info); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSticky == 0 {
			if err := checkMode(parent, info, othersWrite, "go-w"); err != nil {
				return err
			}
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

func checkFolder(path string, info fs.FileInfo) error {
	if err := checkOwner(path, info); err != nil {
		return err
	}
	return checkMode(path, info, othersWrite, "go-w")
}

func checkFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &Error{path, "it is no regular file", "remove it"}
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	return checkMode(path, info, othersUse, "600")
}

func checkMode(path string, info fs.FileInfo, forbidden fs.FileMode, chmod string) error {
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return &Error{path, fmt.Sprintf("the group or others may use it (mode %04o)", mode), "run: chmod " + chmod + " " + path}
	}
	return nil
}

func checkOwner(path string, info fs.FileInfo) error {
	uid, ok := ownerOf(info)
	switch {
	case !ok:
		return &Error{path, "its owner is unknown on this system", "keep private files on a Unix system"}
	case uid == 0 || uid == os.Geteuid():
		return nil
	}
	return &Error{
		path, fmt.Sprintf("it belongs to user %d, neither root nor the user of this process (%d)", uid, os.Geteuid()),
		fmt.Sprintf("run: chown %d %s", os.Geteuid(), path),
	}
}
