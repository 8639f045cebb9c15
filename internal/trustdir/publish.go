package trustdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
)

const (
	publicMode  = 0o644
	folderMode  = 0o755
	privateMode = 0o600
	closedMode  = 0o700
)

// Publish writes a key into the directory, which it makes if it is missing (mode 0700). The file appears whole or not
// at all. To publish what is there already is no error.
//
// The error is a [*safepath.Error], [ErrRevoked], [ErrAmbiguous] when the key belongs to another ID, or one of
// Options.ValidID.
func (d *Directory) Publish(id string, key *jose.PublicKey) error { return d.publish(id, key, false) }

// Enroll is [Directory.Publish] for a service that publishes its own key. It refuses unless the directory belongs to
// the user of this process and is closed to all others, mode 0700.
func (d *Directory) Enroll(id string, key *jose.PublicKey) error { return d.publish(id, key, true) }

func (d *Directory) publish(id string, key *jose.PublicKey, exclusive bool) error {
	if err := d.reader.validID(id); err != nil {
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
		return &safepath.Error{Path: d.reader.dir, Problem: "cannot be made", Err: safepath.Cause(err)}
	}
	root, err := d.reader.guard.Open(d.reader.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if exclusive {
		if err := d.reader.alone(root); err != nil {
			return err
		}
	}
	if err := d.reader.write(root, file, id, key, text); err != nil {
		return err
	}
	d.rounds.ask()
	return nil
}

// write adds a file to the directory, unless the files that are there forbid it.
func (r *reader) write(root *os.Root, file, id string, key *jose.PublicKey, text []byte) error {
	at := filepath.Join(root.Name(), file)
	if err := root.MkdirAll(path.Dir(file), folderMode); err != nil {
		return &safepath.Error{Path: filepath.Dir(at), Problem: "cannot be made", Err: safepath.Cause(err)}
	}
	l := r.readRoot(root)
	if err := l.err(); err != nil {
		return err
	}
	thumbprint := key.Thumbprint()
	if l.revoked.keys[thumbprint] {
		return fmt.Errorf("%w: %s; give %s a new key", ErrRevoked, thumbprint, id)
	}
	owners := l.owners(thumbprint)
	for _, owner := range owners {
		if owner != id {
			return fmt.Errorf("%w: %s is the key of %s; give %s a key of its own", ErrAmbiguous, thumbprint, owner, id)
		}
	}
	if len(owners) > 0 {
		return nil
	}
	if l.files >= r.limit {
		return &safepath.Error{Path: at, Problem: "cannot be written", Err: r.full()}
	}
	err := safepath.Create(root, file, text, publicMode)
	if errors.Is(err, fs.ErrExist) {
		return r.published(root, file, id, key)
	}
	if err != nil {
		return &safepath.Error{Path: at, Problem: "cannot be written", Err: safepath.Cause(err)}
	}
	return nil
}

// published returns nil when the file that another process wrote first says the same.
func (r *reader) published(root *os.Root, file, id string, key *jose.PublicKey) error {
	l := r.readRoot(root)
	if err := l.err(); err != nil {
		return err
	}
	at := filepath.Join(root.Name(), file)
	for _, domain := range l.domains {
		for _, s := range domain.bindings.skipped {
			if s.Path == at {
				return &safepath.Error{Path: at, Problem: "is in the way", Remedy: "remove it", Err: s.Err}
			}
		}
	}
	if !slices.Contains(l.owners(key.Thumbprint()), id) {
		return &safepath.Error{Path: at, Problem: "was there and is gone again", Remedy: "try again"}
	}
	return nil
}

// owners lists the IDs of a key.
func (r *reading) owners(thumbprint string) []string {
	var owners []string
	for _, domain := range r.domains {
		for _, entry := range domain.bindings.entries {
			if entry.Key.Thumbprint() == thumbprint {
				owners = append(owners, entry.ID)
			}
		}
	}
	return owners
}

// alone checks that only the user of this process can look into the directory.
func (r *reader) alone(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return &safepath.Error{Path: root.Name(), Problem: "cannot be read", Err: safepath.Cause(err)}
	}
	err = r.guard.Alone(root.Name(), info)
	if place, ok := errors.AsType[*safepath.Error](err); ok {
		place.Problem += ", and a service may publish its own key only in a directory of its own user"
		place.Remedy += ", or have the operator publish the key"
	}
	return err
}
