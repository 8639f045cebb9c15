// Package privatefile reads and replaces files that the processes of one user share, and no other user can read or
// change.
//
// A folder is opened when it is safe as package safepath defines it. A file is read when it is a regular one, belongs
// to root or to the user of this process, and has mode 0600 or stricter.
package privatefile

import (
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/safepath"
)

// TemporarySuffix ends the names of files that are being written. A crashed process leaves such a file behind.
const TemporarySuffix = safepath.TemporarySuffix

const (
	fileMode   = 0o600
	folderMode = 0o700
)

// Make is [Open] for a folder that it makes with mode 0700 when it is missing.
func Make(folder string) (*os.Root, error) {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, err
	}
	return Open(folder)
}

// Open opens a folder. The error is a [*safepath.Error] when the folder is not safe, and fs.ErrNotExist when there is
// none.
func Open(folder string) (*os.Root, error) { return safepath.New().Open(folder) }

// Read returns the text of a file of at most limit bytes. A symbolic link must not leave the folder. The error is a
// [*safepath.Error] when the file is not private or too large, and fs.ErrNotExist when there is none.
func Read(folder *os.Root, name string, limit int64) ([]byte, error) {
	at := filepath.Join(folder.Name(), name)
	f, err := folder.OpenFile(name, os.O_RDONLY|safepath.NonBlocking, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := safepath.New().Secret(at, info, f); err != nil {
		return nil, err
	}
	text, err := safepath.ReadAll(f, limit)
	if err != nil {
		return nil, &safepath.Error{Path: at, Problem: "cannot be read", Remedy: "remove it", Err: err}
	}
	return text, nil
}

// Replace writes a file with mode 0600; see [safepath.Replace].
func Replace(folder *os.Root, name string, text []byte, lasting bool) error {
	return safepath.Replace(folder, name, text, fileMode, lasting)
}
