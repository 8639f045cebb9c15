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

// Directory is the Trust that is a trust directory.
type Directory struct{ Dir *trustdir.Directory }

func (d Directory) Lookup(kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.Dir.Lookup(kid))
}

func (d Directory) Await(ctx context.Context, kid string) (principal.ID, *jose.PublicKey, error) {
	return keyOf(d.Dir.Await(ctx, kid))
}

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
		if errors.Is(err, trustdir.ErrUnavailable) {
			err = fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		}
		return principal.ID{}, nil, err
	}
	id, err := principal.ParseID(entry.ID)
	if err != nil {
		return principal.ID{}, nil, err
	}
	return id, entry.Key, nil
}

func (d Directory) Holds(kid string, id principal.ID) bool {
	if !d.Dir.Current(kid) {
		return false
	}
	owner, _, err := d.Lookup(kid)
	return err == nil && owner == id
}

func (d Directory) Generation() uint64 { return d.Dir.Generation() }

func (d Directory) Close() error { return d.Dir.Close() }
