package tokens_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// fixedTokens is a source of the program's own.
type fixedTokens struct{ asked int }

func (f *fixedTokens) Token(context.Context, principal.ID) (tokens.Token, error) {
	f.asked++
	return tokens.Token{Value: "header.claims.signature", Expires: time.Now().Add(time.Hour)}, nil
}

// A keeper asks a source of tokens ahead of time and in the background, so that no call waits for it.
func ExampleKeep() {
	payments, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		log.Fatal(err)
	}
	source := &fixedTokens{}
	kept := tokens.Keep(source)
	defer func() { _ = kept.Close() }()
	for range 1000 {
		if _, err := kept.Token(context.Background(), payments); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("asked", source.asked, "time")
	// Output: asked 1 time
}
