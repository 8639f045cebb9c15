package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

func (f *fields) publicKey() (*PublicKey, error) {
	raw, err := f.parse("")
	if err != nil {
		return nil, err
	}
	var key *PublicKey
	switch raw := raw.(type) {
	case ed25519.PublicKey:
		if !soundEd25519(raw) {
			return nil, refuse(ReasonKey, "the point is not on Ed25519, or of small order")
		}
		key, err = newEd25519(raw)
	case *ecdsa.PublicKey:
		key, err = newECDSA(f.algorithm, raw)
	case *rsa.PublicKey:
		key, err = newRSA(f.algorithm, raw)
	default:
		err = refuse(ReasonKey, "not a public key")
	}
	if err == nil {
		err = f.agree(key, "verify")
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

func (f *fields) privateKey() (*PrivateKey, error) {
	var err error
	if f.d, err = f.coordinate("d"); err != nil {
		return nil, err
	}
	raw, err := f.parse(`,"d":"` + encode(f.d) + `"`)
	if err != nil {
		return nil, err
	}
	var key *PrivateKey
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		key, err = newPrivateEd25519(raw)
	case *ecdsa.PrivateKey:
		key, err = newPrivateP256(raw)
	default:
		err = refuse(ReasonKey, "not a private key")
	}
	if err != nil {
		return nil, err
	}
	if derived, err := f.derive(); err != nil || derived != key.public.thumbprint {
		return nil, refuse(ReasonKey, "member d does not belong to the public key")
	}
	if err := f.agree(key.public, "sign"); err != nil {
		return nil, err
	}
	return key, nil
}

// derive returns the thumbprint of the public key that belongs to member d. Jwx takes the public half of a P-256 key on
// trust.
func (f *fields) derive() (string, error) {
	if f.y == nil {
		public, err := newEd25519(ed25519.PublicKey(ed25519.NewKeyFromSeed(f.d)[ed25519.SeedSize:]))
		if err != nil {
			return "", err
		}
		return public.thumbprint, nil
	}
	raw, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), f.d)
	if err != nil {
		return "", err
	}
	public, err := newECDSA(ES256, &raw.PublicKey)
	if err != nil {
		return "", err
	}
	return public.thumbprint, nil
}

// parse hands jwx the members that count, written anew, and returns the raw key.
func (f *fields) parse(secret string) (raw any, err error) {
	defer func() {
		if recover() != nil {
			raw, err = nil, refuse(ReasonKey, "the parser panicked")
		}
	}()
	var text string
	switch f.algorithm {
	case EdDSA:
		text = `"kty":"OKP","crv":"Ed25519","x":"` + encode(f.x) + `"`
	case ES256, ES384:
		text = `"kty":"EC","crv":"` + f.algorithm.keys() + `","x":"` + encode(f.x) + `","y":"` + encode(f.y) + `"`
	case RS256, PS256:
		text = `"kty":"RSA","n":"` + encode(f.n) + `","e":"` + encode(f.e) + `"`
	}
	key, err := jwk.ParseKey([]byte("{" + text + secret + "}"))
	if err == nil {
		err = key.Raw(&raw)
	}
	if err != nil {
		return nil, refuse(ReasonKey, "the key's numbers do not fit together")
	}
	return raw, nil
}
