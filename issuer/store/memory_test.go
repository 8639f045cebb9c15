package store_test

import (
	"testing"

	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/issuer/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, storetest.Harness{Open: func(testing.TB) store.Store { return store.NewMemory() }})
}
