package auth

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// loadKey returns the workload's private key, from its file or its signer.
func (i *workload) loadKey() (*jose.PrivateKey, error) {
	if i.config.signer == nil {
		return trustdir.LoadKey(i.config.keyFile)
	}
	key, err := jose.NewPrivateKey(i.config.signer)
	if err != nil {
		return nil, fmt.Errorf("auth: WithSigner: %w", err)
	}
	return key, nil
}

// loadOrCreateKey is loadKey, but makes the file if it is missing.
func (i *workload) loadOrCreateKey() (*jose.PrivateKey, error) {
	if i.config.signer == nil {
		return trustdir.LoadOrCreateKey(i.config.keyFile, i.config.algorithm)
	}
	return i.loadKey()
}

// keyPlace names where the private key lies.
func (i *workload) keyPlace() string {
	if i.config.signer != nil {
		return "the signer"
	}
	return i.config.keyFile
}

// keyFileState is the state of a key file when the key that is in use was last found in it. It spares reading the file
// again and again; nothing is believed for it.
type keyFileState struct{ info fs.FileInfo }

// now returns the state of the file, and whether it is still the same.
func (s *keyFileState) now(path string) (fs.FileInfo, bool) {
	info, err := os.Stat(path)
	if err != nil || s.info == nil {
		return info, false
	}
	same := os.SameFile(info, s.info) && info.ModTime().Equal(s.info.ModTime()) && info.Size() == s.info.Size() && info.Mode() == s.info.Mode()
	return info, same
}

// keyUnchanged reports whether the key file is as it was when confirm was called last. A signer keeps one key.
func (i *workload) keyUnchanged() (unchanged bool, confirm func()) {
	if i.config.signer != nil {
		return true, func() {}
	}
	info, same := i.keyState.now(i.config.keyFile)
	return same, func() { i.keyState.info = info }
}
