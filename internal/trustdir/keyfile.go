package trustdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/jose"
)

// LoadKey reads a private key, a JSON Web Key, from a file. The file must belong to root or to the user of this process and
// have mode 0600 or stricter; on a read-only mount the group may read it too. What holds for the ancestors of a trust
// directory holds for the directories above the file.
//
// The error is a [*PathError]. It wraps fs.ErrNotExist when there is no file, and the [*jose.Error] when it holds no key.
func LoadKey(path string) (*jose.PrivateKey, error) { return loadKey(newGuard(), path) }

// LoadOrCreateKey is [LoadKey], but makes a key for alg when there is no file, with mode 0600, and the directories above it
// that are missing, with mode 0700. Of several processes that do so at the same time one makes the key, and all return it.
// A key that is there is returned whatever its algorithm.
func LoadOrCreateKey(path string, alg jose.Algorithm) (*jose.PrivateKey, error) {
	g := newGuard()
	key, err := loadKey(g, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = jose.GenerateKey(alg)
	if err != nil {
		return nil, err
	}
	err = writeKey(g, path, key)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return loadKey(g, path)
	}
	return nil, err
}

func loadKey(g guard, path string) (*jose.PrivateKey, error) {
	resolved, err := g.resolve(path)
	if err == nil {
		var key *jose.PrivateKey
		if key, err = readKey(g, path, resolved); err == nil {
			return key, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &PathError{
			Path: path, Problem: "there is no private key", Err: fs.ErrNotExist,
			Remedy: "write it there as a JSON Web Key with mode 0600, or let the service enroll itself",
		}
	}
	return nil, err
}

func readKey(g guard, path, resolved string) (*jose.PrivateKey, error) {
	f, err := os.OpenFile(resolved, os.O_RDONLY|openFlags, 0) //nolint:gosec // every directory above it was checked
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be opened", Err: cause(err)}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be read", Err: cause(err)}
	}
	if err := g.secret(path, info, f); err != nil {
		return nil, err
	}
	text, err := readAll(f)
	if err != nil {
		return nil, &PathError{Path: path, Problem: "cannot be read", Err: err}
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		return nil, &PathError{Path: path, Problem: "holds no private key", Err: err, Remedy: "replace it by a JSON Web Key of kind Ed25519 or P-256"}
	}
	return key, nil
}

func writeKey(g guard, path string, key *jose.PrivateKey) error {
	text, err := key.MarshalJWK()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, closedMode); err != nil {
		return &PathError{Path: folder, Problem: "cannot be made", Err: cause(err)}
	}
	root, err := g.openFolder(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := create(root, filepath.Base(path), append(text, '\n'), privateMode); err != nil {
		return &PathError{Path: path, Problem: "cannot be written", Err: cause(err)}
	}
	return nil
}

// openFolder opens the folder of a private key. It may be sticky, because nobody else can exchange the key there.
func (g guard) openFolder(folder string) (*os.Root, error) {
	resolved, err := g.resolve(folder)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return nil, &PathError{Path: folder, Problem: "cannot be opened", Err: cause(err)}
	}
	info, err := root.Stat(".")
	if err == nil {
		err = g.ancestor(folder, info)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}
