package trustdir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
)

// create writes a file that must not be there yet, so that whoever sees it sees all of it, also after a crash. The error is
// fs.ErrExist when somebody else was first. Name is relative to folder.
func create(folder *os.Root, name string, text []byte, mode fs.FileMode) error {
	temporary := path.Join(path.Dir(name), "."+rand.Text()+".tmp")
	f, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = folder.Link(temporary, name)
	}
	err = errors.Join(err, folder.Remove(temporary))
	if err != nil {
		return err
	}
	return syncFolder(folder, path.Dir(name))
}

// syncFolder makes a new name last. Not every file system knows how to; the file itself is safe by then.
func syncFolder(folder *os.Root, name string) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}
