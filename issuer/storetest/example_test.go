package storetest_test

import (
	"fmt"
	"testing"

	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/issuer/storetest"
)

// The test of a store calls Run with its harness.
func Example() {
	harness := storetest.Harness{Open: func(testing.TB) store.Store { return store.NewMemory() }}
	test := func(t *testing.T) { storetest.Run(t, harness) } // TestStore of the store

	fmt.Println(test != nil, harness.Open(nil).Close())
	// Output: true <nil>
}
