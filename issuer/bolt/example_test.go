package bolt_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/bolt"
)

// The keys of an issuer survive a restart.
func Example() {
	fmt.Println(restart(context.Background()))
	// Output:
	// 1 key, the same after a restart: true
	// <nil>
}

func restart(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "issuer-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "state", "issuer.db")
	secret := make([]byte, 32) // in production it is in a file of its own, on another volume
	_, _ = rand.Read(secret)
	var before, after []issuer.KeyState
	if err := run(ctx, path, secret, &before); err != nil {
		return err
	}
	if err := run(ctx, path, secret, &after); err != nil {
		return err
	}
	fmt.Printf("%d key, the same after a restart: %v\n", len(after), after[0] == before[0])
	return nil
}

// run runs an issuer. Keys are its keys.
func run(ctx context.Context, path string, secret []byte, keys *[]issuer.KeyState) error {
	records, err := bolt.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = records.Close() }()
	state, err := issuer.OpenState(ctx, records, issuer.Sealed(issuer.EdDSA, secret))
	if err != nil {
		return err
	}
	id := issuer.New("https://id.shop.example", state.Keys(), state.Clients(), issuer.WithState(state))
	*keys = state.Keys().State()
	return id.Check()
}
