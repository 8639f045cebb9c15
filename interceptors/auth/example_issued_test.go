package auth_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
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
	orders := auth.Issued(self, auth.TokensFromFile("/run/parley/identity.jwt"),
		[]auth.IdentityIssuer{{Name: "https://id.shop.example", Keys: keys, Domains: []principal.TrustDomain{shop}}},
		auth.WithKeyFile("/run/parley/key.jwk"))
	defer func() { _ = orders.Close() }()
	fmt.Println(orders.ID())
	// Output: spiffe://shop.example/orders
}

// fixedTokens is a TokenSource of somebody's own.
type fixedTokens struct{ asked int }

func (f *fixedTokens) Token(context.Context, principal.ID) (auth.Token, error) {
	f.asked++
	return auth.Token{Value: "header.claims.signature", Expires: time.Now().Add(time.Hour)}, nil
}

// A cache asks a source of tokens ahead of time and in the background, so that no call waits for it.
func ExampleKeepTokens() {
	payments, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		log.Fatal(err)
	}
	source := &fixedTokens{}
	tokens := auth.KeepTokens(source)
	defer func() { _ = tokens.Close() }()
	for range 1000 {
		if _, err := tokens.Token(context.Background(), payments); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("asked", source.asked, "time")
	// Output: asked 1 time
}
