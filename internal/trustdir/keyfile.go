package trustdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
)

// LoadKey reads a private key, a JSON Web Key, from a file. The file must belong to root or to the user of this process
// and have mode 0600 or stricter; on a read-only mount the group may read it too. What holds for the ancestors of a
// trust directory holds for the directories above the file.
//
// The error is a [*safepath.Error]. It wraps fs.ErrNotExist when there is no file, and the [*jose.Error] when it holds
// no key.
func LoadKey(path string) (*jose.PrivateKey, error) { return loadKey(safepath.New(), path) }

// LoadOrCreateKey is [LoadKey], but makes a key for alg when there is no file, with mode 0600, and the directories
// above it that are missing, with mode 0700. Of several processes that do so at the same time one makes the key, and
// all return it. A key that is there is returned whatever its algorithm.
func LoadOrCreateKey(path string, alg jose.Algorithm) (*jose.PrivateKey, error) {
	g := safepath.New()
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

func loadKey(g safepath.Guard, path string) (*jose.PrivateKey, error) {
	text, err := g.ReadSecret(path, maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &safepath.Error{
			Path: path, Problem: "there is no private key", Err: fs.ErrNotExist,
			Remedy: "write it there as a JSON Web Key with mode 0600, or let the service enroll itself",
		}
	}
	if err != nil {
		return nil, err
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		return nil, &safepath.Error{
			Path: path, Problem: "holds no private key", Err: err,
			Remedy: "replace it by a JSON Web Key of kind Ed25519 or P-256",
		}
	}
	return key, nil
}

func writeKey(g safepath.Guard, path string, key *jose.PrivateKey) error {
	text, err := key.MarshalJWK()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, closedMode); err != nil {
		return &safepath.Error{Path: folder, Problem: "cannot be made", Err: safepath.Cause(err)}
	}
	root, err := g.OpenSticky(folder) // no other user can exchange the key in a sticky folder
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := safepath.Create(root, filepath.Base(path), append(text, '\n'), privateMode); err != nil {
		return &safepath.Error{Path: path, Problem: "cannot be written", Err: safepath.Cause(err)}
	}
	return nil
}
