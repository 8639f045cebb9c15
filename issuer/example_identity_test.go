package issuer_test

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
)

// An issuer in a Kubernetes cluster, whose pods get identities with their service account tokens.
func ExampleWithIdentities() {
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	const ca = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
	const own = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	services := issuer.NewStatic()

	id := issuer.New("https://id.shop.example", issuer.NewKeys(signer), services,
		issuer.WithIdentities("shop.example", issuer.Bootstrap{
			Name: "https://kubernetes.default.svc.cluster.local",
			Keys: keyset.URL("https://kubernetes.default.svc/openid/v1/jwks",
				keyset.WithCAFile(ca), keyset.WithBearerTokenFile(own)),
			Profile: profile.Of(profile.Kubernetes),
			Principals: &principal.Map{
				Template: "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}",
				Required: []string{"kubernetes.io>pod>uid"},
			},
			Review: issuer.Cluster{URL: "https://kubernetes.default.svc", CAFile: ca, TokenFile: own}.Review,
		}))

	fmt.Println(id.Close())
	// Output: <nil>
}

func ExampleSignKeySet() {
	_, root, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	current, next := exampleKey(), exampleKey()
	monday := time.Date(2027, time.January, 4, 0, 0, 0, 0, time.UTC)

	set, err := issuer.SignKeySet(root, monday, current, next)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := jose.Unproven(set)
	if err != nil {
		log.Fatal(err)
	}
	until, _, _ := claims.NumericDate("exp")
	fmt.Println(until.UTC())
	// Output: 2027-01-05 00:00:00 +0000 UTC
}

func exampleKey() []byte {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	text, err := key.Public().MarshalJWK()
	if err != nil {
		log.Fatal(err)
	}
	return text
}
