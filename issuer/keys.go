package issuer

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// Keys are the keys of an issuer. One key signs. The published keys are this key, the next ones, and those that signed
// until recently. The kid of each is its thumbprint (RFC 7638). Keys are safe for concurrent use and may change while
// the issuer runs.
type Keys struct {
	mu        sync.Mutex
	list      plan
	stored    bool // in the State that changes them
	configErr error
}

// NewKeys returns the keys of an issuer that signs with signing, an Ed25519 or P-256 key. It can be an
// ed25519.PrivateKey or a key in a key service, and must be safe for concurrent use. The key set also contains the
// public keys in published (JSON Web Keys): keys with which another process signs, this process signed before a
// restart, or a process will sign. They stay until [Keys.Revoke].
//
// [Issuer.Check] returns the mistakes in the arguments.
func NewKeys(signing crypto.Signer, published ...[]byte) *Keys {
	k := &Keys{}
	var errs []error
	now := time.Now()
	for n, jwk := range published {
		public, err := jose.ParsePublicKey(jwk)
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer: NewKeys: published key %d: %w", n+1, err))
			continue
		}
		k.list = append(k.list, ownKey{public: public, known: now})
	}
	private, err := privateKey(signing)
	if err != nil {
		errs = append(errs, fmt.Errorf("issuer: NewKeys: %w", err))
	} else {
		k.list = append(k.list, ownKey{public: private.Public(), signer: private, known: now, from: now})
	}
	for n, key := range k.list {
		if slices.ContainsFunc(k.list[:n], func(other ownKey) bool { return other.public.KeyID() == key.public.KeyID() }) {
			errs = append(errs, fmt.Errorf("issuer: NewKeys: key %s is there twice; publish it once", key.public.KeyID()))
		}
	}
	if len(k.list) > maxKeys {
		errs = append(
			errs,
			fmt.Errorf(
				"issuer: NewKeys: %d keys, and at most %d may be published; leave out those that are over", len(k.list), maxKeys,
			),
		)
	}
	k.configErr = errors.Join(errs...)
	return k
}

func (k *Keys) check() error {
	switch {
	case k == nil:
		return errors.New("issuer: New: there are no keys; make them with NewKeys")
	case k.configErr != nil:
		return k.configErr
	case len(k.State()) == 0:
		return errors.New("issuer: New: the keys are none; make them with NewKeys")
	default:
		return nil
	}
}

func privateKey(signer crypto.Signer) (*jose.PrivateKey, error) {
	if signer == nil {
		return nil, errors.New("there is no key to sign with; pass a signer")
	}
	return jose.NewPrivateKey(signer)
}

// errStored is the error of a change of stored keys that does not go through their State.
var errStored = errors.New("issuer: these keys are in a State; use State.Rotate and State.Revoke")

// Rotate replaces the signing key. Every token can be verified during the rotation: next is published now and signs
// from the returned time on, which is 12 minutes after it was first published, when every verifier has read the key
// set. The replaced key stays published until its last token has expired, an hour and a minute later. Rotating again to
// a key that signs or will sign changes nothing.
//
// Rotate returns an error, and changes nothing, if next is neither Ed25519 nor P-256, if it was replaced before, if
// there are 16 keys, or for the keys of a [State].
func (k *Keys) Rotate(next crypto.Signer) (signs time.Time, err error) {
	if k.stored {
		return time.Time{}, errStored
	}
	private, err := privateKey(next)
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Rotate: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	list, signs, err := k.list.rotate(ownKey{public: private.Public(), signer: private, known: now}, now)
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Rotate: %w", err)
	}
	k.list = list
	return signs, nil
}

// Revoke removes a key from the key set at once. Its tokens become invalid when verifiers read the set again, within 5
// minutes. If the key signs, the next key of [Keys.Rotate] signs from now on, although some verifiers may not know it
// for a few minutes. Revoke returns an error, and changes nothing, if there is no such key, or no next key, or for the
// keys of a [State].
func (k *Keys) Revoke(kid string) error {
	if k.stored {
		return errStored
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list, err := k.list.revoke(kid, time.Now())
	if err != nil {
		return fmt.Errorf("issuer: Revoke: %w", err)
	}
	k.list = list
	return nil
}

// sign signs with the present signing key.
func (k *Keys) sign(typ string, claims []byte) (string, error) {
	k.mu.Lock()
	key := k.list[k.list.signing(time.Now())].signer
	k.mu.Unlock()
	return key.Sign(typ, claims)
}

// jwks returns the published key set (RFC 7517 section 5).
func (k *Keys) jwks() []byte {
	published := k.published()
	list := make([]string, len(published))
	for n, key := range published {
		jwk, _ := key.public.MarshalJWK() // its error is always nil
		list[n] = string(jwk)
	}
	return []byte(`{"keys":[` + strings.Join(list, ",") + `]}`)
}

// published returns the keys that are published now.
func (k *Keys) published() plan {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.list.pruned(time.Now())
}

// set replaces the keys by others.
func (k *Keys) set(list plan) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = list
}
