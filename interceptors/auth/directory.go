package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/verify"
)

// openDirectory returns the trust directory, not read yet.
func openDirectory(dir string, i *workload) *trustdir.Directory {
	return trustdir.Open(dir, trustdir.Options{
		Logger:   i.config.logger,
		OnChange: i.trustChanged,
	})
}

// directory is the kind whose trust is a trust directory.
type directory struct{ path string }

func (d directory) describe(i *workload) (maker, arguments string) {
	return "TrustDir", fmt.Sprintf("%q, %s", d.path, i.self)
}

func (d directory) check(*workload) []error {
	if d.path == "" {
		return []error{errors.New("auth: TrustDir: no directory is named; name the one that holds the trusted keys")}
	}
	return nil
}

func (directory) issuers() []IdentityIssuer { return nil }
func (directory) release()                  {}

func (d directory) open(i *workload) (*ownCredentials, error) {
	dir := openDirectory(d.path, i)
	key, keyErr := i.openKey(dir)
	if err := errors.Join(keyErr, dir.Check()); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	c := &ownCredentials{key: key, trust: verify.Directory{Dir: dir}}
	if err := d.checkOwnKey(i, c); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	i.known.Store(dir.Generation()) // nobody needs to be told of the first
	dir.Start()
	return c, nil
}

// openKey loads the private key. With enrolment it makes and publishes it first.
func (i *workload) openKey(dir *trustdir.Directory) (*jose.PrivateKey, error) {
	if !i.config.enroll {
		return i.loadKey()
	}
	key, err := i.loadOrCreateKey()
	if err != nil {
		return nil, err
	}
	return key, dir.Enroll(i.self.String(), key.Public())
}

// checkOwnKey finds the mistake that would otherwise show only as refusals by everybody else.
func (d directory) checkOwnKey(i *workload, c *ownCredentials) error {
	kid := c.key.Public().Thumbprint()
	owner, _, err := c.trust.Lookup(kid)
	switch {
	case err != nil:
		return fmt.Errorf("auth: %s does not vouch for key %s of %s: %w; publish it there with auth.Enroll, or start "+
			"the service WithEnroll", d.path, kid, i.self, err)
	case owner != i.self:
		return fmt.Errorf("auth: the key in %s belongs to %s and not to %s; give each workload a key of its own", i.keyPlace(), owner, i.self)
	}
	return nil
}

func (d directory) renew(_ context.Context, i *workload, c *ownCredentials) (*ownCredentials, error) {
	unchanged, confirm := i.keyUnchanged()
	if unchanged {
		return nil, nil //nolint:nilnil // nothing has changed
	}
	key, err := i.loadKey()
	if err != nil {
		return nil, err
	}
	if key.Public().Thumbprint() == c.key.Public().Thumbprint() {
		confirm()
		return nil, nil //nolint:nilnil // nothing has changed
	}
	next := &ownCredentials{key: key, trust: c.trust}
	err = d.checkOwnKey(i, next)
	if errors.Is(err, trustdir.ErrUnknownKey) && i.config.enroll {
		trust, _ := c.trust.(verify.Directory) // as open has made it
		err = errors.Join(err, trust.Dir.Enroll(i.self.String(), key.Public()))
	}
	if err != nil {
		return nil, err
	}
	return next, nil
}
