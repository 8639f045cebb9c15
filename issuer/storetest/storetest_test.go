package storetest_test

import (
	"testing"

	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/issuer/storetest"
)

// The test of a store calls Run with its harness.
func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) store.Store { return store.NewMemory() }})
}
