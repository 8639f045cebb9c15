package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

// kept is a signer of a key service: nothing of its secret can be had.
type kept struct{ crypto.Signer }

// A key whose secret stays elsewhere signs as any other does, and cannot be written down.
func TestNewPrivateKey(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, signer := range map[jose.Algorithm]crypto.Signer{jose.EdDSA: kept{edwards}, jose.ES256: kept{p256}} {
		key, err := jose.NewPrivateKey(signer)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		for range 20 { // ES256 signatures have leading zeros now and then
			compact, err := key.Sign("at+jwt", []byte(`{}`))
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			token, err := jose.Parse(compact, "at+jwt")
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			if _, err := token.Verify(key.Public()); err != nil || token.Algorithm() != alg {
				t.Errorf("%s: %v", alg, err)
			}
		}
		if _, err := key.MarshalJWK(); !errors.Is(err, jose.ReasonKey) {
			t.Errorf("%s: written down: %v", alg, err)
		}
	}
}

// strange is a faulty signer.
type strange struct {
	public crypto.PublicKey
	answer func() ([]byte, error)
}

func (s strange) Public() crypto.PublicKey { return s.public }

func (s strange) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.answer() }

func TestNewPrivateKeyRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, public := range map[string]crypto.PublicKey{
		"P-384": p384.Public(), "RSA": &rsa.PublicKey{}, "nothing": nil, "short": ed25519.PublicKey{1},
		"small order": make(ed25519.PublicKey, ed25519.PublicKeySize), "no curve": &ecdsa.PublicKey{},
	} {
		if _, err := jose.NewPrivateKey(strange{public: public}); !errors.Is(err, jose.ReasonKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := jose.NewPrivateKey(nil); !errors.Is(err, jose.ReasonKey) {
		t.Errorf("no signer: %v", err)
	}
}

func TestSignerThatFails(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func() ([]byte, error){
		"error": func() ([]byte, error) { return nil, io.ErrClosedPipe },
		"short": func() ([]byte, error) { return []byte{1}, nil },
		"panic": func() ([]byte, error) { panic("key service") },
	} {
		key, err := jose.NewPrivateKey(strange{public: public, answer: answer})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.Sign("at+jwt", []byte(`{}`)); !errors.Is(err, jose.ReasonKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
