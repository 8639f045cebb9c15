package principal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/parley-rpc/parley/principal"
)

func ExampleTrustDomain_ParsePeer() {
	shop, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		fmt.Println(err)
	}
	for _, text := range []string{"orders", "spiffe://partner.example/orders", "spiffe://shop.example/batch/*", "ord*"} {
		peer, err := shop.ParsePeer(text)
		fmt.Println(peer, err)
	}
	// Output:
	// spiffe://shop.example/orders <nil>
	// spiffe://partner.example/orders <nil>
	// spiffe://shop.example/batch/* <nil>
	// <nil> principal: ID pattern "ord*": a pattern names its trust domain; write spiffe://shop.example/*
}

// A handler is tested with the two identities that it would have in a call.
func ExampleUserFromContext() {
	handler := func(ctx context.Context) {
		peer, _ := principal.PeerFromContext(ctx)
		user, _ := principal.UserFromContext(ctx)
		tenant, _ := user.Claims.String("tctx", "tenant")
		fmt.Println(peer.ID.Service(), "calls for", user.Subject, "of", tenant)
	}
	claims, err := principal.ParseClaims([]byte(`{"sub":"alice","tctx":{"tenant":"blue"}}`))
	if err != nil {
		log.Fatal(err)
	}
	orders, err := principal.ParseID("spiffe://shop.example/orders")
	if err != nil {
		log.Fatal(err)
	}
	ctx := principal.ContextWithPeer(context.Background(), principal.Peer{ID: orders})
	handler(principal.ContextWithUser(ctx, principal.User{Subject: "alice", Claims: claims}))
	// Output: orders calls for alice of blue
}

// A local map says which workload a token of an issuer stands for that knows nothing of IDs.
func ExampleMap() {
	mapping, err := principal.Map{
		Template: "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}",
	}.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, token := range []string{
		`{"kubernetes.io": {"namespace": "pay", "serviceaccount": {"name": "api"}}}`,
		`{"kubernetes.io": {"namespace": "pay/sa/root", "serviceaccount": {"name": "api"}}}`,
	} {
		claims, err := principal.ParseClaims([]byte(token))
		if err != nil {
			fmt.Println(err)
			return
		}
		id, err := mapping.ID(claims)
		fmt.Println(id, err)
	}
	// Output:
	// spiffe://shop.example/ns/pay/sa/api <nil>
	//  claim kubernetes.io>namespace cannot be a part of an ID: that is A-Z a-z 0-9 . _ - and not dots alone
}
