package keyset_test

import (
	"fmt"
	"log"

	"github.com/parley-rpc/parley/keyset"
)

// A key set that never changes. The second key is a shared secret, which has no place there.
func ExampleStatic() {
	keys := keyset.Static([]byte(`{"keys": [
		{"kty": "OKP", "crv": "Ed25519", "kid": "2026-11", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		{"kty": "oct", "kid": "legacy", "k": "c2VjcmV0"}
	]}`))
	defer func() { _ = keys.Close() }()
	if err := keys.Check(); err != nil {
		log.Fatal(err)
	}
	state := keys.State()
	fmt.Println("in force:", state.Keys)
	for _, skipped := range state.Skipped {
		fmt.Println("skipped:", skipped.Key, "alarm:", skipped.Alarm)
	}
	// Output:
	// in force: [2026-11]
	// skipped: legacy alarm: true
}
