package storetest_test

import (
	"fmt"
	"testing"

	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/issuer/storetest"
)

// The test of a store calls Run with its harness.
func Example() {
	test := func(t *testing.T) {
		storetest.Run(t, storetest.Harness{Open: func(testing.TB) store.Store { return store.NewMemory() }})
	}
	fmt.Println(testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{
		{Name: "TestStore", F: test},
	}))
	// Output:
	// true
}
