package trustdir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// guard decides whose files are believed.
type guard struct {
	self  int
	owner owner
	// readOnly tells whether a file lies on a mount that nobody writes to from here.
	readOnly func(*os.File) bool
}

func newGuard() guard { return guard{self: os.Geteuid(), owner: ownerOf, readOnly: readOnlyMount} }

const (
	othersWrite = 0o022
	othersUse   = 0o077
	// othersUseMounted leaves out that the group may read. Kubernetes gives a mounted Secret to a process that is not root
	// in no other way.
	othersUseMounted = 0o037
)

// ancestor checks a directory that leads to the one in question. In a sticky one nobody else can exchange the next.
func (g guard) ancestor(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSticky != 0 {
		return g.owned(path, info, nil)
	}
	return g.directory(path, info, nil)
}

// directory checks a directory in which every file counts. A nil f means that it could not be opened.
func (g guard) directory(path string, info fs.FileInfo, f *os.File) error {
	if !info.IsDir() {
		return &PathError{Path: path, Problem: "is no directory"}
	}
	return g.unwritable(path, info, f)
}

// file checks an opened public file.
func (g guard) file(path string, info fs.FileInfo, f *os.File) error {
	if !info.Mode().IsRegular() {
		return &PathError{Path: path, Problem: "is no regular file"}
	}
	return g.unwritable(path, info, f)
}

// secret checks an opened file with a private key.
func (g guard) secret(path string, info fs.FileInfo, f *os.File) error {
	if !info.Mode().IsRegular() {
		return &PathError{Path: path, Problem: "is no regular file"}
	}
	if err := g.owned(path, info, f); err != nil {
		return err
	}
	mode, remedy := info.Mode().Perm(), "run: chmod 600 "+path
	if mode&othersUse == 0 {
		return nil
	}
	if g.readOnly(f) {
		if mode&othersUseMounted == 0 {
			return nil
		}
		remedy = "mount it with mode 0400"
	}
	return &PathError{Path: path, Problem: fmt.Sprintf("others may use this private key (mode %04o)", mode), Remedy: remedy}
}

// link checks a symbolic link: whoever owns it can point it elsewhere.
func (g guard) link(path string, info fs.FileInfo) error {
	err := g.owner.check(g.self, path, info)
	if err != nil && g.mounted(filepath.Dir(path), nil) {
		return nil
	}
	return err
}

func (g guard) unwritable(path string, info fs.FileInfo, f *os.File) error {
	if err := g.owned(path, info, f); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&othersWrite != 0 && !g.mounted(path, f) {
		return &PathError{Path: path, Problem: fmt.Sprintf("group or others may write there (mode %04o)", mode), Remedy: "run: chmod go-w " + path}
	}
	return nil
}

func (g guard) owned(path string, info fs.FileInfo, f *os.File) error {
	err := g.owner.check(g.self, path, info)
	if err != nil && g.mounted(path, f) {
		return nil
	}
	return err
}

// mounted is readOnly for f, or for the directory path where f is nil. By its path alone a directory could be exchanged
// for a link to some mount at the moment of the question.
func (g guard) mounted(path string, f *os.File) bool {
	if f == nil {
		opened, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0) //nolint:gosec // every directory above it was checked
		if err != nil {
			return false
		}
		defer func() { _ = opened.Close() }()
		f = opened
	}
	return g.readOnly(f)
}

// owner returns the owner of a file, and false where the system has no such notion.
type owner func(fs.FileInfo) (int, bool)

func (o owner) check(self int, path string, info fs.FileInfo) error {
	uid, ok := o(info)
	switch {
	case !ok:
		return &PathError{Path: path, Problem: "its owner is unknown on this system", Remedy: "keep trust directories and keys on a Unix system"}
	case uid == 0 || uid == self:
		return nil
	default:
		return &PathError{
			Path: path, Problem: fmt.Sprintf("it belongs to user %d, neither root nor the user of this process (%d)", uid, self),
			Remedy: fmt.Sprintf("run: chown %d %s", self, path),
		}
	}
}
