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

// Keys are the keys of an issuer. One signs; that one, those to come and those that have signed until recently are published.
// The name of each is its thumbprint (RFC 7638). Keys are safe for concurrent use and may change while the issuer runs.
type Keys struct {
	mu        sync.Mutex
	list      []ownKey // by the time at which they begin to sign; those that only are published come first
	configErr error
}

// ownKey is a key and its life.
type ownKey struct {
	public *jose.PublicKey
	signer *jose.PrivateKey // nil when it is only published
	known  time.Time        // since when it is published
	from   time.Time        // since when it signs
}

// NewKeys returns the keys of which signing signs from now on: an Ed25519 or P-256 key, such as an ed25519.PrivateKey or one
// in a key service, safe for concurrent use. The public keys in published (JSON Web Keys) are in the key set besides: those
// that another process signs with, signed with before a restart, or will sign with. They stay until [Keys.Revoke].
//
// Mistakes show in [Issuer.Check].
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
		errs = append(errs, fmt.Errorf("issuer: NewKeys: %d keys, and at most %d may be published; leave out those that are over", len(k.list), maxKeys))
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

// Rotate lets another key sign in the place of the present one, without a token that cannot be verified: it is published now
// and signs from the returned time on, when every verifier has read the key set, 12 minutes from now, or from when it was
// first published. The key that it replaces stays published until its last token has ended, an hour and a minute later.
// Nothing else needs to be done. To rotate to a key again whose turn has not passed changes nothing.
//
// The error says that next is neither Ed25519 nor P-256, that its turn has passed, or that there are 16 keys; nothing has
// changed then.
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
		return time.Time{}, fmt.Errorf("issuer: Rotate: %d keys are published already; wait until some are over, or revoke them", len(k.list))
	}
	key.from = key.known.Add(keyLead)
	if key.from.Before(now) {
		key.from = now
	}
	k.list = append(k.list, key)
	slices.SortStableFunc(k.list, func(a, b ownKey) int { return a.from.Compare(b.from) })
	return key.from, nil
}

// Revoke takes a key out of the key set at once. That ends every token that it signed, as soon as verifiers read the set again,
// in 5 minutes at the latest. When it is the one that signs, the
// next one of [Keys.Rotate] signs from now on, although some verifiers may not know it for a few minutes. The error says that
// there is no such key, or no next one; nothing has changed then.
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

// sign signs with the key whose turn it is.
func (k *Keys) sign(typ string, claims []byte) (string, error) {
	k.mu.Lock()
	key := k.list[k.signing(time.Now())].signer
	k.mu.Unlock()
	return key.Sign(typ, claims)
}

// jwks is the key set as it is published (RFC 7517 section 5).
func (k *Keys) jwks() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prune(time.Now())
	list := make([]string, len(k.list))
	for n, key := range k.list {
		jwk, _ := key.public.MarshalJWK() // whose error is always nil
		list[n] = string(jwk)
	}
	return []byte(`{"keys":[` + strings.Join(list, ",") + `]}`)
}

// signing is the place of the key whose turn it is: the last one whose time has come.
func (k *Keys) signing(now time.Time) int {
	n, _ := slices.BinarySearchFunc(k.list, now, func(key ownKey, now time.Time) int { return cmp.Or(key.from.Compare(now), -1) })
	return n - 1
}

// prune takes out the keys whose last token has ended.
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
