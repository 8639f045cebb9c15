package trustdir_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

func Example() {
	if err := enroll(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// spiffe://shop/orders
	// after its revocation: trustdir: revoked key
}

func enroll() error {
	dir, err := os.MkdirTemp("", "parley") // mode 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key, err := trustdir.LoadOrCreateKey(filepath.Join(dir, "keys", "orders.jwk"), jose.EdDSA)
	if err != nil {
		return err
	}
	directory := trustdir.Open(dir, trustdir.Options{ValidID: func(string) error { return nil }})
	if err := directory.Enroll("spiffe://shop/orders", key.Public()); err != nil {
		return err
	}
	if err := directory.Check(); err != nil {
		return err
	}
	entry, err := directory.Lookup(key.Public().Thumbprint())
	if err != nil {
		return err
	}
	fmt.Println(entry.ID)

	if err := os.Mkdir(filepath.Join(dir, "revoked"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "revoked", key.Public().Thumbprint()), nil, 0o600); err != nil {
		return err
	}
	_, err = directory.Lookup(key.Public().Thumbprint())
	err = errors.Join(err, directory.Check())
	if err != nil {
		return err
	}
	_, err = directory.Lookup(key.Public().Thumbprint())
	fmt.Println("after its revocation:", err)
	return nil
}
