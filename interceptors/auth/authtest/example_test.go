package authtest_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/interceptors/auth/authtest"
)

// A verifier that believes what the header says of the algorithm: the kit finds it, and says which row of the attack table did.
func ExampleAttack_Check() {
	issuer := authtest.NewIssuer()
	careless := newVerifier(issuer.Trust(), "accepts alg none").check
	for _, attack := range issuer.Attacks() {
		if err := attack.Check(context.Background(), careless); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 01 alg none, no signature: the token was accepted
	// 01 alg nOnE, no signature: the token was accepted
	// 01 alg NONE, the old signature: the token was accepted
	// 02 alg none before a good signature: the token was accepted
}

// Without a key, from whatever token one has.
func ExampleWithoutKey() {
	for _, attack := range authtest.WithoutKey("eyJhIjoxfQ.eyJiIjoyfQ.c2lnbmF0dXJl") {
		if attack.Row == 16 {
			fmt.Println(attack, strings.HasPrefix(attack.Token, `{"payload"`))
		}
	}
	// Output:
	// 16 general JSON, the second signature holds true
}
