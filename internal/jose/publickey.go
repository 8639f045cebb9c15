package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// PublicKey is a public key that passed every check of [ParsePublicKey] or [ParseSetKey]. It has one algorithm and one
// name: its thumbprint, unless its publisher chose another. A PublicKey never changes and may be used from any
// goroutine.
type PublicKey struct {
	algorithm  Algorithm
	thumbprint string
	keyID      string // the kid of its tokens
	nameless   bool   // its publisher gave it no kid
	members    string // the required members in the order of RFC 7638
	verifier   jws.Verifier
	raw        any // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey, as the verifier wants it
}

// ParsePublicKey reads a single JSON Web Key (RFC 7517) that is the public key of a workload: Ed25519 or P-256. Its
// alg, kid, use and key_ops may be absent; where they are there, they must agree with the key: kid is the thumbprint,
// use is sig, key_ops has verify.
//
// Every error is an [*Error], with [ReasonSecret] when the text holds secret material, or else with [ReasonKey]: no
// strict JSON object, another type of key, a wrong length, a point that is not on its curve or of small order.
func ParsePublicKey(jwk []byte) (*PublicKey, error) {
	return parsePublicKey(jwk, ownProfile())
}

func parsePublicKey(jwk []byte, p profile) (*PublicKey, error) {
	fields, err := readMembers(jwk, p)
	if err != nil {
		return nil, err
	}
	if err := fields.checkPublic(); err != nil {
		return nil, err
	}
	if err := fields.readNumbers(); err != nil {
		return nil, err
	}
	return fields.publicKey()
}

// Algorithm is the one algorithm that the key is good for.
func (k *PublicKey) Algorithm() Algorithm { return k.algorithm }

// Thumbprint is the key's SHA-256 thumbprint (RFC 7638) in base64url, 43 characters.
func (k *PublicKey) Thumbprint() string { return k.thumbprint }

// KeyID is the kid of every token that the key signs: its thumbprint, or the name that [ParseSetKey] found.
func (k *PublicKey) KeyID() string { return k.keyID }

// Nameless reports whether the publisher of the key gave it no kid, so that its tokens may name none.
func (k *PublicKey) Nameless() bool { return k.nameless }

// Equal reports whether both are one key with one name and one algorithm.
func (k *PublicKey) Equal(other *PublicKey) bool {
	return k.thumbprint == other.thumbprint && k.algorithm == other.algorithm && k.keyID == other.keyID
}

// MarshalJWK returns the key as a JSON Web Key with alg, kid and use. The error is always nil.
func (k *PublicKey) MarshalJWK() ([]byte, error) {
	return []byte(`{"alg":"` + string(k.algorithm) + `","kid":"` + k.thumbprint + `","use":"sig",` + k.members + `}`), nil
}

// String names the key by its thumbprint.
func (k *PublicKey) String() string { return string(k.algorithm) + " key " + k.thumbprint }

func newEd25519(raw ed25519.PublicKey) (*PublicKey, error) {
	members := `"crv":"Ed25519","kty":"OKP","x":"` + encode(raw) + `"`
	return newPublicKey(EdDSA, raw, members)
}

// newECDSA returns the key of a curve that has been found to be that of alg.
func newECDSA(alg Algorithm, raw *ecdsa.PublicKey) (*PublicKey, error) {
	point, err := raw.Bytes() // checks the point
	if err != nil {
		return nil, refuse(ReasonKey, "the point is not on "+alg.keys())
	}
	x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
	members := `"crv":"` + alg.keys() + `","kty":"EC","x":"` + encode(x) + `","y":"` + encode(y) + `"`
	return newPublicKey(alg, raw, members)
}

func newPublicKey(alg Algorithm, raw any, members string) (*PublicKey, error) {
	verifier, err := newVerifier(alg)
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Cause: err}
	}
	sum := sha256.Sum256([]byte("{" + members + "}"))
	thumbprint := encode(sum[:])
	return &PublicKey{
		algorithm: alg, thumbprint: thumbprint, keyID: thumbprint, members: members, verifier: verifier, raw: raw,
	}, nil
}

func newVerifier(alg Algorithm) (jws.Verifier, error) {
	if alg == PS256 {
		return pss{}, nil
	}
	return jws.NewVerifier(jwa.SignatureAlgorithm(alg))
}

// verify checks a signature. A panic below is a refusal too: jwx has panicked on malformed keys before.
func (k *PublicKey) verify(signed, signature []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = refuse(ReasonSignature, "the verifier panicked")
		}
	}()
	if err := k.verifier.Verify(signed, signature, k.raw); err != nil {
		return refuse(ReasonSignature, "does not hold")
	}
	return nil
}
