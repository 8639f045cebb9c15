package profile_test

import (
	"fmt"

	"github.com/parley-rpc/parley/profile"
)

// What a preset opens, and what each of it costs. Whatever an operator has changed in the product is stated beside it.
func Example() {
	look := profile.Of(profile.Vault)
	look.MaxLifetime = 0 // an hour, which is what our roles are set to
	fmt.Println(look)
	for _, e := range look.Exceptions() {
		fmt.Println(e.Setting)
	}
	// Output:
	// vault; types: [""]; required_claims: [namespace]
	// types
	// required_claims
}
