package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/principal"
)

// directory is the anchor that is a trust directory.
type directory struct{ dir *trustdir.Directory }

func (d directory) lookup(kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.dir.Lookup(kid))
}

func (d directory) await(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.dir.Await(ctx, kid))
}

func (d directory) vouch(ctx context.Context, identityToken, kid string, _ turnstile.Turnstile) (bond, error) {
	if identityToken != "" {
		return bond{}, errors.New("an identity token, where trust rests on a directory")
	}
	b := bond{trust: d, generation: d.generation()}
	var err error
	b.id, b.key, err = d.await(ctx, kid)
	return b, err
}

func keyOf(entry trustdir.Entry, err error) (principal.ID, *jose.PublicKey, error) {
	if err != nil {
		if errors.Is(err, trustdir.ErrUnavailable) {
			err = fmt.Errorf("%w: %w", errKeysUnavailable, err)
		}
		return principal.ID{}, nil, err
	}
	id, err := principal.ParseID(entry.ID)
	if err != nil {
		return principal.ID{}, nil, err
	}
	return id, entry.Key, nil
}

func (d directory) holds(kid string, id principal.ID) bool {
	if !d.dir.Current(kid) {
		return false
	}
	owner, _, err := d.lookup(kid)
	return err == nil && owner == id
}

func (d directory) generation() uint64 { return d.dir.Generation() }

func (d directory) report() Trust {
	s := d.dir.State()
	return Trust{
		Of: "trust directory", Source: s.Dir, Keys: s.Keys, Files: s.Files, Limit: s.Limit,
		Generation: s.Generation, Read: s.Read, Ends: s.Ends, Skipped: s.Skipped, Err: s.Err,
	}
}

func (d directory) close() error { return d.dir.Close() }

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
	c := &core{key: key, trust: directory{dir}}
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
	owner, _, err := c.trust.lookup(kid)
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
