package auth

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/principal"
)

// openDirectory returns the trust directory, not read yet.
func (i *Identity) openDirectory() *trustdir.Directory {
	return trustdir.Open(i.dir, trustdir.Options{
		Logger:   i.config.logger,
		OnChange: i.trustChanged,
	})
}

// open reads what the identity needs from outside of the process, and begins to keep it fresh.
func (i *Identity) open() (*core, error) {
	if i.issued != nil {
		return i.openIssued()
	}
	dir := i.openDirectory()
	key, keyErr := i.openKey(dir)
	if err := errors.Join(keyErr, dir.Check()); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	c := &core{key: key, trust: verify.Directory{Dir: dir}}
	if err := i.checkOwnKey(c); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	i.known.Store(dir.Generation()) // nobody needs to be told of the first
	dir.Start()
	return c, nil
}

// openKey loads the private key. With enrolment it makes and publishes it first.
func (i *Identity) openKey(dir *trustdir.Directory) (*jose.PrivateKey, error) {
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
func (i *Identity) checkOwnKey(c *core) error {
	kid := c.key.Public().Thumbprint()
	owner, _, err := c.trust.Lookup(kid)
	switch {
	case err != nil:
		return fmt.Errorf("auth: %s does not vouch for key %s of %s: %w; publish it there with auth.Enroll, or start the service WithEnroll", i.dir, kid, i.self, err)
	case owner != i.self:
		return fmt.Errorf("auth: the key in %s belongs to %s and not to %s; give each workload a key of its own", i.keyPlace(), owner, i.self)
	}
	return nil
}

// Enroll makes the key of the workload id, if there is none, and publishes it in the trust directory dir, which it makes if
// it is missing. It is for the operator, and for programs that set up others before they start; a service that does it for
// itself uses [WithEnroll]. Of the options only [WithKeyFile], [WithSigner],
// [WithES256] and [WithLogger] play a part. To enroll a
// workload again is no error.
func Enroll(dir string, id principal.ID, opts ...Option) error {
	i := TrustDir(dir, id, opts...)
	if i.flaw != nil {
		return i.flaw
	}
	key, err := i.loadOrCreateKey()
	if err != nil {
		return err
	}
	return i.openDirectory().Publish(id.String(), key.Public())
}
