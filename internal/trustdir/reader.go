package trustdir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	trustFolder   = "trust"
	revokedFolder = "revoked"
)

// reader reads the directory. It remembers what it understood the last time, by content, because checking a key costs more
// than reading its file. A reader belongs to one goroutine at a time.
type reader struct {
	dir     string
	guard   guard
	validID func(string) error
	known   map[string]understood // by path
}

type understood struct {
	sum   [sha256.Size]byte
	entry Entry
}

// listing is what one reading found.
type listing struct {
	ids     map[string][]string // every ID of every key, by thumbprint
	keys    map[string]Entry    // by thumbprint; of several IDs, any
	revoked map[string]bool
	skipped []Skipped
	files   int
	known   map[string]understood
	// dangling says that a link led nowhere. That happens for a moment when a ConfigMap is exchanged, and must not revoke
	// the keys in it.
	dangling bool
}

// Skipped is a file of the directory that was not believed.
type Skipped struct {
	// Path is the file.
	Path string
	// Err says why.
	Err error
}

// read lists the directory. Its error is made of every [*PathError] that makes the reading as a whole impossible.
func (r *reader) read() (*listing, error) {
	root, err := r.openRoot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	l, err := r.readRoot(root)
	if l != nil && l.dangling {
		return r.readRoot(root)
	}
	return l, err
}

func (r *reader) readRoot(root *os.Root) (*listing, error) {
	l := &listing{ids: map[string][]string{}, keys: map[string]Entry{}, revoked: map[string]bool{}, known: map[string]understood{}}
	if err := errors.Join(r.readTrust(root, l), r.readRevoked(root, l)); err != nil {
		return nil, err
	}
	r.known = l.known
	return l, nil
}

// openRoot opens the directory and checks it and everything above it.
func (r *reader) openRoot() (*os.Root, error) {
	resolved, err := r.guard.resolve(r.dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, &PathError{Path: r.dir, Problem: "cannot be opened", Err: cause(err)}
	}
	if err := r.checkOpened(root); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

func (r *reader) checkOpened(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return &PathError{Path: root.Name(), Problem: "cannot be opened", Err: cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return &PathError{Path: root.Name(), Problem: "cannot be read", Err: cause(err)}
	}
	return r.guard.directory(root.Name(), info, f)
}

func (r *reader) inside(root *os.Root) resolver {
	return resolver{tree: root, top: root.Name(), guard: r.guard}
}

// list opens a folder below the root, checks it, and returns it with the names in it that do not begin with a dot: those
// belong to others, such as half-written files and the versions of a ConfigMap.
func (r *reader) list(root *os.Root, folder string) (*os.Root, []fs.DirEntry, error) {
	resolved, err := r.inside(root).resolve(folder)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(root.Name(), folder)
	sub, err := root.OpenRoot(resolved)
	if err != nil {
		return nil, nil, &PathError{Path: path, Problem: "cannot be opened", Err: cause(err)}
	}
	names, err := r.names(sub, path)
	if err != nil {
		return nil, nil, errors.Join(err, sub.Close())
	}
	return sub, names, nil
}

func (r *reader) names(sub *os.Root, path string) ([]fs.DirEntry, error) {
	f, err := sub.Open(".")
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be opened", Err: cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be read", Err: cause(err)}
	}
	if err := r.guard.directory(path, info, f); err != nil {
		return nil, err
	}
	var names []fs.DirEntry
	for {
		batch, err := f.ReadDir(maxFiles)
		names = append(names, slices.DeleteFunc(batch, func(e fs.DirEntry) bool { return e.Name()[0] == '.' })...)
		switch {
		case len(names) > maxFiles:
			return nil, tooMany(path)
		case errors.Is(err, io.EOF):
			slices.SortFunc(names, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
			return names, nil
		case err != nil:
			return nil, &PathError{Path: path, Problem: "cannot be listed", Err: cause(err)}
		}
	}
}

func tooMany(path string) error {
	return &PathError{Path: path, Problem: fmt.Sprintf("holds more than %d files", maxFiles), Remedy: "remove keys that are no longer used"}
}

// cause takes the path off an error of package os.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
