package bolt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bbolt "go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/parley-rpc/parley/internal/privatefile"
	"github.com/parley-rpc/parley/internal/safepath"
)

const (
	// lockTimeout is how long Open waits for another process to close the file.
	lockTimeout = time.Second
	fileMode    = 0o600
	// layout is the version of the layout of buckets and values.
	layout = "1"
)

// Open opens the file, and creates it and its folder if they are missing. The folder must not be writable by other
// users. The file must have mode 0600. Open waits a second if another process has the file open, and then returns an
// error.
func Open(path string) (*Store, error) {
	folder, err := privatefile.Make(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("issuer: bolt: %w", err)
	}
	defer func() { _ = folder.Close() }() // bbolt keeps the file open
	name := filepath.Base(path)
	if _, err := folder.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		err = create(folder, name)
		if err != nil && !errors.Is(err, fs.ErrExist) { // another process may create it, too
			return nil, fmt.Errorf("issuer: bolt: %s: %w", path, err)
		}
	}
	db, err := open(folder, name, os.O_RDWR)
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = errors.New("another process has it open; stop that process, or use its commands")
	}
	if err != nil {
		return nil, fmt.Errorf("issuer: bolt: %s: %w", path, err)
	}
	s := &Store{db: db, path: path, turn: make(chan struct{}, 1)}
	if err := s.checkLayout(); err != nil {
		return nil, errors.Join(fmt.Errorf("issuer: bolt: %s: %w", path, err), db.Close())
	}
	return s, nil
}

// create creates an empty store. It gets its name when it is complete, so that a crash leaves no half of one.
func create(folder *os.Root, name string) error {
	temporary := "." + rand.Text() + safepath.TemporarySuffix
	db, err := open(folder, temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		own, err := tx.CreateBucket(ownBucket)
		if err != nil {
			return err
		}
		_, err = tx.CreateBucket(expiryBucket)
		return errors.Join(err, own.Put(layoutKey, []byte(layout)))
	})
	err = errors.Join(err, db.Close())
	if err == nil {
		err = folder.Link(temporary, name)
	}
	if err := errors.Join(err, folder.Remove(temporary)); err != nil {
		return err
	}
	f, err := folder.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close()) // the new name must survive a crash, too
}

// open opens a file of the folder with bbolt.
func open(folder *os.Root, name string, flags int) (*bbolt.DB, error) {
	options := *bbolt.DefaultOptions
	options.Timeout = lockTimeout
	options.FreelistType = bbolt.FreelistMapType
	options.OpenFile = func(string, int, fs.FileMode) (*os.File, error) {
		f, err := folder.OpenFile(name, flags|safepath.NonBlocking, fileMode)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil {
			err = safepath.New().Secret(filepath.Join(folder.Name(), name), info, f)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return bbolt.Open(name, fileMode, &options)
}

func (s *Store) checkLayout() error {
	return s.db.View(func(tx *bbolt.Tx) error {
		own := tx.Bucket(ownBucket)
		if own == nil || tx.Bucket(expiryBucket) == nil {
			return errors.New("it is a bbolt file, but no store of an issuer; choose another file")
		}
		if got := string(own.Get(layoutKey)); got != layout {
			return fmt.Errorf("it has layout %q, and this program knows layout %s; use the program that wrote it, or restore "+
				"a backup with this one", got, layout)
		}
		return nil
	})
}
