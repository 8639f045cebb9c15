package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/issuer/store"
)

// Of two writers that have read the same version, one is first. The other reads again.
func Example() {
	ctx, records := context.Background(), store.NewMemory()
	defer func() { _ = records.Close() }()
	err := records.Apply(ctx, store.Change{Kind: "keys", Name: "plan", Value: []byte("first")})
	fmt.Println(err)
	r, err := records.Get(ctx, "keys", "plan")
	fmt.Println(string(r.Value), err)
	change := store.Change{Kind: "keys", Name: "plan", Value: []byte("second"), Version: r.Version}
	fmt.Println(records.Apply(ctx, change), errors.Is(records.Apply(ctx, change), store.ErrConflict))
	// Output:
	// <nil>
	// first <nil>
	// <nil> true
}
