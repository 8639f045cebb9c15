package trustdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/jose"
)

const (
	publicMode  = 0o644
	folderMode  = 0o755
	privateMode = 0o600
	closedMode  = 0o700
)

// Publish writes a key into the directory, which it makes if it is missing (mode 0700). The file appears whole or not at
// all. To publish what is there already is no error.
//
// The error is a [*PathError], [ErrRevoked], [ErrAmbiguous] when the key belongs to another ID, or one of Options.ValidID.
func (d *Directory) Publish(id string, key *jose.PublicKey) error { return d.publish(id, key, false) }

// Enroll is [Directory.Publish] for a service that publishes its own key. It refuses unless the directory belongs to the
// user of this process and is closed to all others, mode 0700.
func (d *Directory) Enroll(id string, key *jose.PublicKey) error { return d.publish(id, key, true) }

func (d *Directory) publish(id string, key *jose.PublicKey, exclusive bool) error {
	if d.options.ValidID == nil {
		return errMissingValidID
	}
	if err := d.options.ValidID(id); err != nil {
		return err
	}
	domain, name, err := splitID(id)
	if err != nil {
		return fmt.Errorf("trustdir: %w", err)
	}
	text, err := formatEntry(id, key)
	if err != nil {
		return err
	}
	file := path.Join(trustFolder, domain, fileName(name, key.Thumbprint()))

	d.reading.Lock()
	defer d.reading.Unlock()
	if err := os.MkdirAll(d.reader.dir, closedMode); err != nil {
		return &PathError{Path: d.reader.dir, Problem: "cannot be made", Err: cause(err)}
	}
	root, err := d.reader.openRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if exclusive {
		if err := d.reader.guard.exclusive(root); err != nil {
			return err
		}
	}
	if err := d.reader.write(root, file, id, key, text); err != nil {
		return err
	}
	d.rounds.ask()
	return nil
}

// write adds a file to the directory, if what is there allows it.
func (r *reader) write(root *os.Root, file, id string, key *jose.PublicKey, text []byte) error {
	at := filepath.Join(root.Name(), file)
	if err := root.MkdirAll(path.Dir(file), folderMode); err != nil {
		return &PathError{Path: filepath.Dir(at), Problem: "cannot be made", Err: cause(err)}
	}
	l, err := r.readRoot(root)
	if err != nil {
		return err
	}
	thumbprint := key.Thumbprint()
	if l.revoked[thumbprint] {
		return fmt.Errorf("%w: %s; give %s a new key", ErrRevoked, thumbprint, id)
	}
	for _, owner := range l.ids[thumbprint] {
		if owner != id {
			return fmt.Errorf("%w: %s is the key of %s; give %s a key of its own", ErrAmbiguous, thumbprint, owner, id)
		}
	}
	if len(l.ids[thumbprint]) > 0 {
		return nil
	}
	if l.files >= maxFiles {
		return tooMany(filepath.Join(root.Name(), trustFolder))
	}
	err = create(root, file, text, publicMode)
	if errors.Is(err, fs.ErrExist) {
		return r.published(root, file, id)
	}
	if err != nil {
		return &PathError{Path: at, Problem: "cannot be written", Err: cause(err)}
	}
	return nil
}

// published decides whether the file that was there first says the same.
func (r *reader) published(root *os.Root, file, id string) error {
	l, err := r.readRoot(root)
	if err != nil {
		return err
	}
	at := filepath.Join(root.Name(), file)
	for _, s := range l.skipped {
		if s.Path == at {
			return &PathError{Path: at, Problem: "is in the way", Remedy: "remove it", Err: s.Err}
		}
	}
	if u, ok := l.known[file]; !ok || u.entry.ID != id {
		return &PathError{Path: at, Problem: "was there and is gone again", Remedy: "try again"}
	}
	return nil
}

// exclusive checks that nobody but the user of this process can look into the directory.
func (g guard) exclusive(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return &PathError{Path: root.Name(), Problem: "cannot be read", Err: cause(err)}
	}
	uid, _ := g.owner(info)
	if mode := info.Mode().Perm(); uid != g.self || mode&othersUse != 0 {
		return &PathError{
			Path: root.Name(), Problem: fmt.Sprintf("belongs to user %d and has mode %04o, and a service may publish its own key only where its user (%d) is alone", uid, mode, g.self),
			Remedy: "run: chmod 700 " + root.Name() + ", or have the operator publish the key",
		}
	}
	return nil
}
