package auth_test

import (
	"fmt"
	"log"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// A workload in Kubernetes that proves itself with a projected token, which the cluster's issuer signs, and believes others by
// the issuer's keys.
func ExampleIssued() {
	shop, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		log.Fatal(err)
	}
	self, err := shop.ID("orders")
	if err != nil {
		log.Fatal(err)
	}
	keys := keyset.URL("https://id.shop.example/jwks")
	defer func() { _ = keys.Close() }()
	orders := auth.Issued(self, tokens.File("/run/parley/identity.jwt"),
		[]auth.IdentityIssuer{{Name: "https://id.shop.example", Keys: keys, Domains: []principal.TrustDomain{shop}}},
		auth.WithKeyFile("/run/parley/key.jwk"))
	defer func() { _ = orders.Close() }()
	fmt.Println(orders.ID())
	// Output: spiffe://shop.example/orders
}
