package safepath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a directory in which every file counts, and checks it and every directory above it. Symbolic links may
// lead anywhere that is as safe. The error is an [*Error].
func (g Guard) Open(path string) (*os.Root, error) { return g.open(path, g.Directory) }

// OpenSticky is [Guard.Open] for a directory that may be sticky, because only its own files count.
func (g Guard) OpenSticky(path string) (*os.Root, error) { return g.open(path, g.Ancestor) }

func (g Guard) open(path string, check func(string, fs.FileInfo, *os.File) error) (*os.Root, error) {
	resolved, err := g.Resolve(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be opened", Err: Cause(err)}
	}
	if _, err := g.stat(root, root.Name(), check); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

func (g Guard) stat(root *os.Root, path string, check func(string, fs.FileInfo, *os.File) error) (fs.FileInfo, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be opened", Err: Cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be read", Err: Cause(err)}
	}
	return info, check(path, info, f)
}

// ReadPublic reads a file of at most limit bytes that says which keys to trust, such as a key set, and checks it and
// every directory above it. Symbolic links may lead anywhere that is as safe. The error is an [*Error].
func (g Guard) ReadPublic(path string, limit int64) ([]byte, error) {
	return g.read(path, limit, g.File)
}

// ReadSecret is [Guard.ReadPublic] for a file that only its owner may read; see [Guard.Secret].
func (g Guard) ReadSecret(path string, limit int64) ([]byte, error) {
	return g.read(path, limit, g.Secret)
}

func (g Guard) read(path string, limit int64, check func(string, fs.FileInfo, *os.File) error) ([]byte, error) {
	resolved, err := g.Resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(resolved, os.O_RDONLY|OpenFlags, 0) //nolint:gosec // every directory above it was checked
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be opened", Err: Cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be read", Err: Cause(err)}
	}
	if err := check(path, info, f); err != nil {
		return nil, err
	}
	text, err := ReadAll(f, limit)
	if err != nil {
		return nil, &Error{Path: path, Problem: "cannot be read", Err: err}
	}
	return text, nil
}

// ReadAll reads an opened file of at most limit bytes.
func ReadAll(f *os.File, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, Cause(err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("is larger than %d bytes", limit)
	}
	return text, nil
}
