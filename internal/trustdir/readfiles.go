package trustdir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

func (r *reader) readTrust(root *os.Root, l *listing) error {
	sub, domains, err := r.list(root, trustFolder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &PathError{
				Path: filepath.Join(root.Name(), trustFolder), Problem: "does not exist",
				Remedy: "name the directory that has trust/ in it, or publish a first key", Err: err,
			}
		}
		return err
	}
	defer func() { _ = sub.Close() }()
	var errs []error
	for _, domain := range domains {
		if !isFolder(domain.Name()) || !domain.IsDir() && domain.Type() != fs.ModeSymlink {
			l.skip(root, path.Join(trustFolder, domain.Name()), errors.New("is no folder of a trust domain"))
			continue
		}
		if err := r.readDomain(root, domain.Name(), l); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *reader) readDomain(root *os.Root, domain string, l *listing) error {
	folder := path.Join(trustFolder, domain)
	sub, files, err := r.list(root, folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		l.dangling = true
		l.skip(root, folder, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }()
	if l.files += len(files); l.files > maxFiles {
		return tooMany(filepath.Join(root.Name(), trustFolder))
	}
	for _, file := range files {
		name := path.Join(folder, file.Name())
		if !strings.HasSuffix(file.Name(), suffix) {
			l.skip(root, name, errors.New("is not called <name>.<thumbprint>.json"))
			continue
		}
		text, err := r.text(root, sub, name, file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && file.Type() != fs.ModeSymlink:
			continue // deleted since it was listed
		case broken(err):
			return err
		case err != nil:
			l.dangling = l.dangling || errors.Is(err, fs.ErrNotExist)
			l.skip(root, name, err)
			continue
		}
		if err := r.add(l, domain, file.Name(), name, text); err != nil {
			l.skip(root, name, err)
		}
	}
	return nil
}

// broken tells whether an error says something of the system and nothing of the file. Then the file must not count as
// deleted.
func broken(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return !errors.Is(err, fs.ErrPermission) && errno != syscall.ELOOP && errno != syscall.ENXIO && errno != syscall.ENOTDIR
}

// text returns what is in a file, once it is open and checked.
func (r *reader) text(root, sub *os.Root, name string, file fs.DirEntry) ([]byte, error) {
	in, at := sub, file.Name()
	if file.Type() == fs.ModeSymlink {
		resolved, err := r.inside(root).resolve(name)
		if err != nil {
			return nil, err
		}
		in, at = root, resolved
	}
	f, err := in.OpenFile(at, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if err := r.guard.file(filepath.Join(root.Name(), name), info, f); err != nil {
		return nil, err
	}
	return readAll(f)
}

func readAll(f *os.File) ([]byte, error) { return readUpTo(f, maxFileSize) }

func readUpTo(f *os.File, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("is larger than %d bytes", limit)
	}
	return text, nil
}

func (r *reader) add(l *listing, domain, file, name string, text []byte) error {
	u := understood{sum: sha256.Sum256(text)}
	if before, ok := r.known[name]; ok && before.sum == u.sum {
		u = before
	} else {
		entry, err := parseEntry(domain, file, text, r.validID)
		if err != nil {
			return err
		}
		u.entry = entry
	}
	l.known[name] = u
	thumbprint := u.entry.Key.Thumbprint()
	l.keys[thumbprint] = u.entry
	l.ids[thumbprint] = append(l.ids[thumbprint], u.entry.ID)
	return nil
}

func (r *reader) readRevoked(root *os.Root, l *listing) error {
	sub, names, err := r.list(root, revokedFolder)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := root.Lstat(revokedFolder); errors.Is(gone, fs.ErrNotExist) {
			return nil // nothing was ever revoked
		}
		return err // a link that leads nowhere must not take revocations back
	}
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }()
	for _, name := range names {
		if !isThumbprint(name.Name()) {
			l.skip(root, path.Join(revokedFolder, name.Name()), errors.New("is not called after a thumbprint, and so revokes nothing"))
			continue
		}
		l.revoked[name.Name()] = true
	}
	return nil
}

func (l *listing) skip(root *os.Root, name string, err error) {
	if path, ok := errors.AsType[*PathError](err); ok {
		err = errors.New(strings.TrimPrefix(path.Error(), path.Path+": "))
	}
	l.skipped = append(l.skipped, Skipped{Path: filepath.Join(root.Name(), name), Err: err})
}
