package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// PrivateKey is a key that signs. It prints as its thumbprint, never as its secret. A PrivateKey never changes and may
// be used from any goroutine.
type PrivateKey struct {
	public *PublicKey
	secret string // member d; empty when a crypto.Signer keeps it
	signer jws.Signer
	raw    any // ed25519.PrivateKey, *ecdsa.PrivateKey or another crypto.Signer
	prefix string
}

// GenerateKey makes a new key. The error is an [*Error] with [ReasonAlgorithm] when alg is neither [EdDSA] nor [ES256].
func GenerateKey(alg Algorithm) (*PrivateKey, error) {
	switch alg {
	case EdDSA:
		_, raw, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, &Error{Reason: ReasonKey, Cause: err}
		}
		return newPrivateEd25519(raw)
	case ES256:
		raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, &Error{Reason: ReasonKey, Cause: err}
		}
		return newPrivateP256(raw)
	case ES384, RS256, PS256:
	}
	return nil, refuse(ReasonAlgorithm, "keys are made for EdDSA and ES256 only")
}

// ParsePrivateKey reads a single JSON Web Key that is a private Ed25519 or P-256 key, as strictly as [ParsePublicKey]
// reads a public one. Its private part must match its public part. Every error is an [*Error] with [ReasonKey].
func ParsePrivateKey(jwk []byte) (*PrivateKey, error) {
	fields, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	return fields.privateKey()
}

// NewPrivateKey returns the key whose secret signer keeps, such as one in a key service. Signer must be safe for
// concurrent use. The error is an [*Error] with [ReasonKey] when its public key is neither Ed25519 nor P-256.
func NewPrivateKey(signer crypto.Signer) (key *PrivateKey, err error) {
	defer func() {
		if recover() != nil {
			key, err = nil, refuse(ReasonKey, "the signer panicked")
		}
	}()
	var public *PublicKey
	switch raw := signer.Public().(type) {
	case ed25519.PublicKey:
		if len(raw) != ed25519.PublicKeySize || !soundEd25519(raw) {
			return nil, refuse(ReasonKey, "the signer's point is not on Ed25519, or of small order")
		}
		public, err = newEd25519(raw)
	case *ecdsa.PublicKey:
		if raw.Curve != elliptic.P256() {
			return nil, refuse(ReasonKey, "the signer's curve is not P-256")
		}
		public, err = newECDSA(ES256, raw)
	default:
		return nil, refuse(ReasonKey, "the signer's key is neither Ed25519 nor P-256")
	}
	if err != nil {
		return nil, err
	}
	return newPrivateKey(public, signer, nil)
}

// MarshalJWK returns the key, secret included, as a JSON Web Key. The error is an [*Error] with [ReasonKey] when a
// signer keeps the secret.
func (k *PrivateKey) MarshalJWK() ([]byte, error) {
	if k.secret == "" {
		return nil, refuse(ReasonKey, "a signer keeps the secret part of the key")
	}
	return []byte(`{"alg":"` + string(k.public.algorithm) + `","kid":"` + k.public.thumbprint + `",` + k.public.members +
		`,"d":"` + k.secret + `"}`), nil
}

// Public returns the public half.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// String names the key by its thumbprint.
func (k *PrivateKey) String() string { return "private " + k.public.String() }

// Format writes [PrivateKey.String] whatever the verb, so that no log shows the secret.
func (k *PrivateKey) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, k.String()) }

// Sign returns a compact JWS with the header {alg, kid, typ} over claims, which must be a strict JSON object as
// [Token.Verify] wants it; see [ClaimsBuilder]. Typ consists of A-Z a-z 0-9 _ . : / - and +.
//
// Every error is an [*Error]: with [ReasonType], [ReasonClaims], [ReasonSize] when the token would be longer than
// [MaxTokenLength], or [ReasonKey] when signing failed.
func (k *PrivateKey) Sign(typ string, claims []byte) (string, error) {
	if !safeType(typ) {
		return "", refuse(ReasonType, "has characters that no token type has")
	}
	if err := checkClaims(string(claims)); err != nil {
		return "", err
	}
	signed := make([]byte, 0, 1024)
	signed = appendSegment(signed, k.prefix+typ+`"}`)
	signed = append(signed, '.')
	signed = appendSegment(signed, string(claims))
	signature, err := k.signature(signed)
	if err != nil {
		return "", err
	}
	signed = append(signed, '.')
	compact := string(appendSegment(signed, string(signature)))
	if len(compact) > MaxTokenLength {
		return "", refuse(ReasonSize, "the token is longer than 8192 bytes; give it fewer claims")
	}
	return compact, nil
}

// signature signs. A signer of another package may panic or return anything.
func (k *PrivateKey) signature(signed []byte) (signature []byte, err error) {
	defer func() {
		if recover() != nil {
			signature, err = nil, refuse(ReasonKey, "the signer panicked")
		}
	}()
	signature, err = k.signer.Sign(signed, k.raw)
	switch {
	case err != nil:
		return nil, &Error{Reason: ReasonKey, Detail: "signing failed", Cause: err}
	case len(signature) != signatureLength:
		return nil, refuse(ReasonKey, "the signer's signature is not 64 bytes long")
	}
	return signature, nil
}

func newPrivateEd25519(raw ed25519.PrivateKey) (*PrivateKey, error) {
	public, err := newEd25519(ed25519.PublicKey(raw[ed25519.SeedSize:]))
	if err != nil {
		return nil, err
	}
	return newPrivateKey(public, raw, raw.Seed())
}

func newPrivateP256(raw *ecdsa.PrivateKey) (*PrivateKey, error) {
	public, err := newECDSA(ES256, &raw.PublicKey)
	if err != nil {
		return nil, err
	}
	secret, err := raw.Bytes()
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Cause: err}
	}
	return newPrivateKey(public, raw, secret)
}

func newPrivateKey(public *PublicKey, raw any, secret []byte) (*PrivateKey, error) {
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(public.algorithm))
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Cause: err}
	}
	prefix := `{"alg":"` + string(public.algorithm) + `","kid":"` + public.thumbprint + `","typ":"`
	return &PrivateKey{public: public, secret: encode(secret), signer: signer, raw: raw, prefix: prefix}, nil
}
