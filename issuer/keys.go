package issuer

import (
	"cmp"
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
	list      []ownKey // sorted by the time at which they start to sign; keys that are only published come first
	configErr error
}

// ownKey is a key with its times.
type ownKey struct {
	public *jose.PublicKey
	signer *jose.PrivateKey // nil if the key is only published
	known  time.Time        // when it was published
	from   time.Time        // when it starts to sign
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

// Rotate replaces the signing key. Every token can be verified during the rotation: next is published now and signs
// from the returned time on, which is 12 minutes after it was first published, when every verifier has read the key
// set. The replaced key stays published until its last token has expired, an hour and a minute later. Rotating again to
// a key that signs or will sign changes nothing.
//
// Rotate returns an error, and changes nothing, if next is neither Ed25519 nor P-256, if it was replaced before, or if
// there are 16 keys.
func (k *Keys) Rotate(next crypto.Signer) (signs time.Time, err error) {
	private, err := privateKey(next)
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Rotate: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.prune(now)
	key := ownKey{public: private.Public(), signer: private, known: now}
	if n := k.find(private.Public().KeyID()); n >= 0 {
		switch {
		case k.list[n].signer == nil:
		case n < k.signing(now):
			return time.Time{}, errors.New("issuer: Rotate: the key was replaced by another before; make a new one")
		default:
			return k.list[n].from, nil
		}
		key.known = k.list[n].known
		k.list = slices.Delete(k.list, n, n+1)
	} else if len(k.list) >= maxKeys {
		return time.Time{}, fmt.Errorf(
			"issuer: Rotate: %d keys are published already; wait until some are over, or revoke them", len(k.list),
		)
	}
	key.from = key.known.Add(keyLead)
	if key.from.Before(now) {
		key.from = now
	}
	k.list = append(k.list, key)
	slices.SortStableFunc(k.list, func(a, b ownKey) int { return a.from.Compare(b.from) })
	return key.from, nil
}

// Revoke removes a key from the key set at once. Its tokens become invalid when verifiers read the set again, within 5
// minutes. If the key signs, the next key of [Keys.Rotate] signs from now on, although some verifiers may not know it
// for a few minutes. Revoke returns an error, and changes nothing, if there is no such key, or no next key.
func (k *Keys) Revoke(kid string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.prune(now)
	n := k.find(kid)
	if n < 0 {
		return errors.New("issuer: Revoke: no key of that name is published; Keys.State lists those that are")
	}
	if n == k.signing(now) {
		if n+1 == len(k.list) {
			return errors.New("issuer: Revoke: no other key could sign; rotate to one first")
		}
		k.list[n+1].from = now
	}
	k.list = slices.Delete(k.list, n, n+1)
	return nil
}

// sign signs with the present signing key.
func (k *Keys) sign(typ string, claims []byte) (string, error) {
	k.mu.Lock()
	key := k.list[k.signing(time.Now())].signer
	k.mu.Unlock()
	return key.Sign(typ, claims)
}

// jwks returns the published key set (RFC 7517 section 5).
func (k *Keys) jwks() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prune(time.Now())
	list := make([]string, len(k.list))
	for n, key := range k.list {
		jwk, _ := key.public.MarshalJWK() // its error is always nil
		list[n] = string(jwk)
	}
	return []byte(`{"keys":[` + strings.Join(list, ",") + `]}`)
}

// signing returns the index of the signing key: the last key whose time has come.
func (k *Keys) signing(now time.Time) int {
	n, _ := slices.BinarySearchFunc(
		k.list, now, func(key ownKey, now time.Time) int { return cmp.Or(key.from.Compare(now), -1) },
	)
	return n - 1
}

// prune removes the keys whose last token has expired.
func (k *Keys) prune(now time.Time) {
	signing := k.signing(now)
	var kept []ownKey
	for n, key := range k.list {
		if key.signer == nil || n >= signing || now.Before(k.list[n+1].from.Add(keyRetirement)) {
			kept = append(kept, key)
		}
	}
	k.list = kept
}

func (k *Keys) find(kid string) int {
	return slices.IndexFunc(k.list, func(key ownKey) bool { return key.public.KeyID() == kid })
}
