package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/principal"
)

// Directory is a trust directory as a [Trust].
type Directory struct{ Dir *trustdir.Directory }

// Lookup returns the key that the directory has now.
func (d Directory) Lookup(kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.Dir.Lookup(kid))
}

// Await returns the key, for which it may read the directory anew.
func (d Directory) Await(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.Dir.Await(ctx, kid))
}

// Vouch ties a key of the directory to its ID. There is no identity token.
func (d Directory) Vouch(ctx context.Context, identityToken, kid string, _ turnstile.Turnstile) (KeyBinding, error) {
	if identityToken != "" {
		return KeyBinding{}, errors.New("an identity token, where trust rests on a directory")
	}
	b := KeyBinding{Validity: d, Generation: d.Generation()}
	var err error
	b.ID, b.Key, err = d.Await(ctx, kid)
	return b, err
}

func keyOf(entry trustdir.Entry, err error) (principal.ID, *jose.PublicKey, error) {
	if err != nil {
		return principal.ID{}, nil, unavailable(err)
	}
	id, err := principal.ParseID(entry.ID)
	if err != nil {
		return principal.ID{}, nil, err
	}
	return id, entry.Key, nil
}

func unavailable(err error) error {
	if errors.Is(err, trustdir.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	return err
}

// Names reports whether the directory holds a key of the workload.
func (d Directory) Names(id principal.ID) (bool, error) {
	named, err := d.Dir.Names(id.String())
	if err != nil {
		return false, unavailable(err)
	}
	return named, nil
}

// Holds reports whether the key still belongs to the ID.
func (d Directory) Holds(kid string, id principal.ID) bool {
	if !d.Dir.Current(kid) {
		return false
	}
	owner, _, err := d.Lookup(kid)
	return err == nil && owner == id
}

// Generation counts the changes of the directory.
func (d Directory) Generation() uint64 { return d.Dir.Generation() }

// Close stops the reading of the directory.
func (d Directory) Close() error { return d.Dir.Close() }
