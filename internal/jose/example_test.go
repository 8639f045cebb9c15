package jose_test

import (
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

func Example() {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := new(jose.ClaimsBuilder).
		String("sub", "spiffe://shop.example/orders").
		Strings("aud", "spiffe://shop.example/payments").
		NumericDate("exp", time.Unix(1893456000, 0)).
		Claims()
	if err != nil {
		fmt.Println(err)
		return
	}
	compact, err := key.Sign("parley-client+jwt", claims)
	if err != nil {
		fmt.Println(err)
		return
	}

	token, err := jose.Parse(compact, "parley-client+jwt")
	if err != nil {
		fmt.Println(err)
		return
	}
	proven, err := token.Verify(key.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	subject, _ := proven.String("sub")
	expires, _, err := proven.NumericDate("exp")
	fmt.Println(token.Type(), "of", subject, "until", expires.UTC(), err)

	_, err = jose.Parse(compact, "parley-server+jwt")
	fmt.Println(err)
	// Output:
	// parley-client+jwt of spiffe://shop.example/orders until 2030-01-01 00:00:00 +0000 UTC <nil>
	// jose: typ: not allowed here
}
