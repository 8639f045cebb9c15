package trustdir

import (
	"os"
)

// ReadPublic reads a file of at most limit bytes that says whom to trust, such as a key set. What holds for the files of a
// trust directory and the directories above it holds for the file and those above it; symbolic links may lead anywhere that
// is as safe. The error is a [*PathError], or says that the file is too large.
func ReadPublic(path string, limit int64) ([]byte, error) {
	g := newGuard()
	resolved, err := g.resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(resolved, os.O_RDONLY|openFlags, 0) //nolint:gosec // every directory above it was checked
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be opened", Err: cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be read", Err: cause(err)}
	}
	if err := g.file(path, info, f); err != nil {
		return nil, err
	}
	text, err := readUpTo(f, limit)
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be read", Err: err}
	}
	return text, nil
}
