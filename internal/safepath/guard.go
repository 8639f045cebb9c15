// Package safepath opens files and directories that only root and the user of this process can change.
//
// Every directory from the root of the file system down to a file must belong to root or to that user, and neither the
// group nor others may write there. Two exceptions: a sticky directory above the one in question, such as /tmp, and a
// read-only mount, such as a ConfigMap or Secret of Kubernetes. What counts is checked on opened descriptors. Systems
// without such owners have no safe paths.
package safepath

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Guard decides which files are safe. The zero value is not usable; see [New].
type Guard struct {
	self  int
	owner func(fs.FileInfo) (uid int, known bool)
	// readOnly reports whether a file lies on a mount that this system cannot write to.
	readOnly func(*os.File) bool
}

// New returns the guard of the user of this process.
func New() Guard { return Guard{self: os.Geteuid(), owner: ownerOf, readOnly: readOnlyMount} }

// NewAs returns the guard of another user, who sees other owners and mounts, for tests.
func NewAs(self int, owner func(fs.FileInfo) (uid int, known bool), readOnly func(*os.File) bool) Guard {
	return Guard{self: self, owner: owner, readOnly: readOnly}
}

const (
	othersWrite = 0o022
	othersUse   = 0o077
	// othersUseMounted leaves out that the group may read. Kubernetes gives a mounted Secret to a process that is not
	// root in no other way.
	othersUseMounted = 0o037
)

// Error names a file or directory that is not safe or cannot be used.
type Error struct {
	// Path is the place.
	Path string
	// Problem is the mistake.
	Problem string
	// Remedy says how to mend it. Where it is empty, what the system says about the place decides.
	Remedy string
	// Err is the error below. May be nil.
	Err error
}

// Error is place, problem and remedy.
func (e *Error) Error() string {
	text := e.Path + ": " + e.Problem
	if e.Err != nil && !errors.Is(e.Err, fs.ErrNotExist) { // the problem says so already
		text += ": " + e.Err.Error()
	}
	if remedy := cmp.Or(e.Remedy, remedyFor(e.Err)); remedy != "" {
		text += "; " + remedy
	}
	return text
}

// remedyFor says how to mend what the system says about a place, "" where that depends.
func remedyFor(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "let the user of this process use it"
	case errors.Is(err, fs.ErrNotExist):
		return "put it there, or correct the path"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return "correct the path"
	case errors.Is(err, syscall.EROFS):
		return "mount it so that it can be written, or name another place"
	case errors.Is(err, syscall.ENOSPC):
		return "make room there"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files"
	default:
		return ""
	}
}

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

// Cause returns an error of package os without its path.
func Cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}

// Ancestor checks a directory that leads to the one in question. In a sticky one no other user can exchange the next. A
// nil f means that the directory could not be opened, here and below.
func (g Guard) Ancestor(path string, info fs.FileInfo, f *os.File) error {
	if info.Mode()&fs.ModeSticky != 0 {
		return g.owned(path, info, f)
	}
	return g.Directory(path, info, f)
}

// Directory checks a directory in which every file counts.
func (g Guard) Directory(path string, info fs.FileInfo, f *os.File) error {
	if !info.IsDir() {
		return &Error{Path: path, Problem: "is no directory", Remedy: "name a directory"}
	}
	return g.unwritable(path, info, f)
}

// File checks an opened public file.
func (g Guard) File(path string, info fs.FileInfo, f *os.File) error {
	if !info.Mode().IsRegular() {
		return &Error{Path: path, Problem: "is no regular file", Remedy: "put a regular file there"}
	}
	return g.unwritable(path, info, f)
}

// Secret checks an opened file that only its owner may read, mode 0600 or stricter. On a read-only mount the group may
// read it, too.
func (g Guard) Secret(path string, info fs.FileInfo, f *os.File) error {
	if !info.Mode().IsRegular() {
		return &Error{Path: path, Problem: "is no regular file", Remedy: "put a regular file there"}
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
	return &Error{Path: path, Problem: fmt.Sprintf("others may use this private file (mode %04o)", mode), Remedy: remedy}
}

// Alone checks that only the user of this process can look into a directory.
func (g Guard) Alone(path string, info fs.FileInfo) error {
	uid, _ := g.owner(info)
	if mode := info.Mode().Perm(); uid != g.self || mode&othersUse != 0 {
		return &Error{
			Path: path,
			Problem: fmt.Sprintf("belongs to user %d and has mode %04o, so user %d is not alone there",
				uid, mode, g.self),
			Remedy: "run: chmod 700 " + path,
		}
	}
	return nil
}

// link checks a symbolic link: its owner can point it elsewhere.
func (g Guard) link(path string, info fs.FileInfo) error {
	err := g.checkOwner(path, info)
	if err != nil && g.mounted(filepath.Dir(path), nil) {
		return nil
	}
	return err
}

func (g Guard) unwritable(path string, info fs.FileInfo, f *os.File) error {
	if err := g.owned(path, info, f); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&othersWrite != 0 && !g.mounted(path, f) {
		return &Error{
			Path: path, Problem: fmt.Sprintf("group or others may write there (mode %04o)", mode),
			Remedy: "run: chmod go-w " + path,
		}
	}
	return nil
}

func (g Guard) owned(path string, info fs.FileInfo, f *os.File) error {
	err := g.checkOwner(path, info)
	if err != nil && g.mounted(path, f) {
		return nil
	}
	return err
}

func (g Guard) checkOwner(path string, info fs.FileInfo) error {
	uid, known := g.owner(info)
	switch {
	case !known:
		return &Error{
			Path: path, Problem: "its owner is unknown on this system",
			Remedy: "keep keys and other private files on a Unix system",
		}
	case uid == 0 || uid == g.self:
		return nil
	default:
		return &Error{
			Path:    path,
			Problem: fmt.Sprintf("it belongs to user %d, neither root nor the user of this process (%d)", uid, g.self),
			Remedy:  fmt.Sprintf("run: chown %d %s", g.self, path),
		}
	}
}

// mounted is readOnly for f, or for the directory path where f is nil. By its path alone a directory could be exchanged
// for a link to some mount at the moment of the question.
func (g Guard) mounted(path string, f *os.File) bool {
	if f == nil {
		opened, err := os.OpenFile(path, os.O_RDONLY|OpenFlags, 0) //nolint:gosec // every directory above it was checked
		if err != nil {
			return false
		}
		defer func() { _ = opened.Close() }()
		f = opened
	}
	return g.readOnly(f)
}
