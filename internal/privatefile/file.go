package privatefile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

const (
	fileMode   = 0o600
	folderMode = 0o700
)

// TemporarySuffix ends the names of files that are being written. One that is left over is from a process that died.
const TemporarySuffix = ".tmp"

// Make is [Open] for a folder that it makes with mode 0700 when it is missing.
func Make(folder string) (*os.Root, error) {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return nil, err
	}
	return Open(folder)
}

// Open opens a folder. The error is an [*Error] when the folder is not believed.
func Open(folder string) (*os.Root, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return nil, err
	}
	if err := checkPath(resolved); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = checkFolder(resolved, info)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// Read returns what is in a file of at most limit bytes. A symbolic link must not leave the folder. The error is an [*Error]
// when the file is not believed, and fs.ErrNotExist when there is none.
func Read(folder *os.Root, name string, limit int64) ([]byte, error) {
	f, err := folder.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	at := filepath.Join(folder.Name(), name)
	if err := checkFile(at, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, &Error{at, fmt.Sprintf("it is larger than %d bytes", limit), "remove it"}
	}
	return text, nil
}

// Replace writes a file with mode 0600 in place of the one that is there, if any. Whoever reads it sees the old text or
// the new one, also after a crash of the process; lasting adds that the new text survives a crash of the machine, which
// takes the time of a disk.
func Replace(folder *os.Root, name string, text []byte, lasting bool) error {
	temporary := path.Join(path.Dir(name), "."+rand.Text()+TemporarySuffix)
	f, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && lasting {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = folder.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, folder.Remove(temporary))
	}
	return nil
}
