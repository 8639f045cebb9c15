package auth

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// loadKey returns the workload's private key, from its file or its signer.
func (i *Identity) loadKey() (*jose.PrivateKey, error) {
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
func (i *Identity) loadOrCreateKey() (*jose.PrivateKey, error) {
	if i.config.signer == nil {
		return trustdir.LoadOrCreateKey(i.config.keyFile, i.config.algorithm)
	}
	return i.loadKey()
}

// keyPlace names where the private key lies.
func (i *Identity) keyPlace() string {
	if i.config.signer != nil {
		return "the signer"
	}
	return i.config.keyFile
}

// renewFromDirectory returns what to use from now on in the place of c, or nil when nothing has changed. The error says why a
// new key is not used.
func (i *Identity) renewFromDirectory(c *core, d directory) (*core, error) {
	key, err := i.loadKey()
	if err != nil {
		return nil, err
	}
	kid := key.Public().Thumbprint()
	if kid == c.key.Public().Thumbprint() {
		return nil, nil //nolint:nilnil // as it says above
	}
	next := &core{key: key, trust: c.trust}
	err = i.checkOwnKey(next)
	if errors.Is(err, trustdir.ErrUnknownKey) && i.config.enroll {
		err = errors.Join(err, d.dir.Enroll(i.self.String(), key.Public()))
	}
	if err != nil {
		return nil, err
	}
	return next, nil
}
