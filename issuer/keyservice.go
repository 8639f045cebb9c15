package issuer

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
)

// KeyService makes the signing keys of a [State] and finds them again. [Sealed] is one that keeps them encrypted in the
// state. A cloud's or an HSM's key service implements it with keys that never leave it: the handle is then the name of
// a key. Its methods are called by one goroutine at a time in each process.
type KeyService interface {
	// NewKey makes a key, Ed25519 or P-256. The state keeps the handle, at most 4 KiB, in clear. A process that dies
	// before it has kept the handle leaves a key behind that is never used.
	NewKey(ctx context.Context) (signer crypto.Signer, handle []byte, err error)
	// OpenKey returns the key that NewKey has returned with this handle, in this or another process. The signer must be
	// safe for concurrent use.
	OpenKey(ctx context.Context, handle []byte) (crypto.Signer, error)
}

// Algorithms of new keys.
const (
	EdDSA = "EdDSA" // Ed25519
	ES256 = "ES256" // P-256
)

// secretLength is the length of a secret of Sealed, in bytes.
const secretLength = 32

// SealedKeys is the [KeyService] that [Sealed] returns.
type SealedKeys struct {
	algorithm string
	seals     []cipher.AEAD // the first seals, and all open
	err       error
}

// Sealed returns a key service whose handle is the key itself, encrypted with AES-256-GCM under a secret of 32 random
// bytes. Whoever has the secret and the state has the keys, so keep them apart. The first secret encrypts new keys. The
// others open keys that were encrypted before the secret was replaced, until those keys are no longer published.
// Algorithm is the algorithm of new keys, [EdDSA] or [ES256].
//
// [OpenState] returns the mistakes in the arguments.
func Sealed(algorithm string, secret []byte, older ...[]byte) *SealedKeys {
	s := &SealedKeys{algorithm: algorithm}
	var errs []error
	if algorithm != EdDSA && algorithm != ES256 {
		errs = append(errs, fmt.Errorf("issuer: Sealed: %q is no algorithm of keys; use EdDSA or ES256", algorithm))
	}
	for n, secret := range append([][]byte{secret}, older...) {
		seal, err := newSeal(secret)
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer: Sealed: secret %d: %w", n+1, err))
		}
		s.seals = append(s.seals, seal)
	}
	s.err = errors.Join(errs...)
	return s
}

func newSeal(secret []byte) (cipher.AEAD, error) {
	if len(secret) != secretLength {
		return nil, fmt.Errorf("it has %d bytes; use %d random ones", len(secret), secretLength)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealLabel is authenticated with each sealed key, so that nothing else that is encrypted under the secret is read as a
// key.
const sealLabel = "parley issuer signing key, PKCS #8"

// NewKey implements [KeyService].
func (s *SealedKeys) NewKey(context.Context) (crypto.Signer, []byte, error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	var key crypto.Signer
	var err error
	if s.algorithm == ES256 {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, nil, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, s.seals[0].Seal(nil, nil, plain, []byte(sealLabel)), nil //nolint:gosec // it draws a nonce itself
}

// OpenKey implements [KeyService].
func (s *SealedKeys) OpenKey(_ context.Context, handle []byte) (crypto.Signer, error) {
	if s.err != nil {
		return nil, s.err
	}
	for _, seal := range s.seals {
		plain, err := seal.Open(nil, nil, handle, []byte(sealLabel))
		if err != nil {
			continue
		}
		key, err := x509.ParsePKCS8PrivateKey(plain)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, errors.New("issuer: Sealed: the sealed key cannot sign")
		}
		return signer, nil
	}
	return nil, errors.New("issuer: Sealed: the key was sealed with another secret, or has been changed; " +
		"pass the secret that sealed it")
}
