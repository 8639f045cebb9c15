package safepath

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
)

// TemporarySuffix ends the names of files that are being written. A crashed process leaves such a file behind.
const TemporarySuffix = ".tmp"

// Create writes a file that must not be there yet, so that every reader sees all of it, also after a crash. The error
// is fs.ErrExist when another process was first. Name is relative to folder.
func Create(folder *os.Root, name string, text []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(folder, name, text, mode, true)
	if err == nil {
		err = folder.Link(temporary, name)
	}
	if temporary != "" {
		err = errors.Join(err, folder.Remove(temporary))
	}
	if err != nil {
		return err
	}
	return syncFolder(folder, path.Dir(name))
}

// Replace writes a file in place of the one that is there, if any. A reader sees the old text or the new one, also
// after a crash of the process; lasting adds that the new text survives a crash of the machine, which takes the time of
// a disk. Name is relative to folder.
func Replace(folder *os.Root, name string, text []byte, mode fs.FileMode, lasting bool) error {
	temporary, err := writeTemporary(folder, name, text, mode, lasting)
	if err == nil {
		err = folder.Rename(temporary, name)
	}
	if err != nil && temporary != "" {
		return errors.Join(err, folder.Remove(temporary))
	}
	return err
}

// writeTemporary writes a file beside the one called name. It returns the new file's name, also with an error, unless
// there is no such file.
func writeTemporary(folder *os.Root, name string, text []byte, mode fs.FileMode, lasting bool) (string, error) {
	temporary := path.Join(path.Dir(name), "."+rand.Text()+TemporarySuffix)
	f, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err == nil && lasting {
		err = f.Sync()
	}
	return temporary, errors.Join(err, f.Close())
}

// syncFolder makes a new name survive a crash of the machine. Not every file system can; the file itself is safe by
// then.
func syncFolder(folder *os.Root, name string) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}
