package jose

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

type panicking struct{}

func (panicking) Algorithm() jwa.SignatureAlgorithm { return jwa.EdDSA }
func (panicking) Verify(_, _ []byte, _ any) error   { panic("bad public key length: 1") }

func TestAttack69PanicInTheVerifier(t *testing.T) {
	key, err := GenerateKey(EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := key.Sign("at+jwt", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := Parse(compact, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	broken := *key.Public()
	broken.verifier = panicking{}
	if claims, err := token.Verify(&broken); claims != nil || !errors.Is(err, ReasonSignature) {
		t.Errorf("a verifier that panics: %v, %v", claims, err)
	}
	broken = *key.Public()
	broken.raw = ed25519.PublicKey{1} // what jwx makes of the JWK {"x":"AQ"}
	if claims, err := token.Verify(&broken); claims != nil || !errors.Is(err, ReasonSignature) {
		t.Errorf("a key of one byte: %v, %v", claims, err)
	}
}
