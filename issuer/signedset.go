package issuer

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/wire"
)

// SignKeySet signs a key set with the root key of an issuer, an Ed25519 or P-256 key that stays offline. The set is
// valid for 24 hours from the given time. Keys are JSON Web Keys. Verifiers that pin the thumbprint of the root
// (keyset.WithPinnedRoot) accept no other key of this issuer.
//
// Sign the sets of many days at once, and hand them to [WithSignedKeySets]. Each set must contain the keys that sign on
// its day, and those of tokens that are still valid, so the next keys must be made before.
func SignKeySet(root crypto.Signer, from time.Time, keys ...[]byte) (string, error) {
	signed, err := signKeySet(root, from, keys)
	if err != nil {
		return "", fmt.Errorf("issuer: SignKeySet: %w", err)
	}
	return signed, nil
}

func signKeySet(root crypto.Signer, from time.Time, keys [][]byte) (string, error) {
	key, err := privateKey(root)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return "", fmt.Errorf("there are %d keys; sign between 1 and %d", len(keys), maxKeys)
	}
	list := make([][]byte, len(keys))
	for n, text := range keys {
		public, err := jose.ParsePublicKey(text)
		if err != nil {
			return "", fmt.Errorf("key %d: %w", n+1, err)
		}
		if public.Equal(key.Public()) {
			return "", fmt.Errorf("key %d is the root itself, which must stay offline; make another one", n+1)
		}
		if list[n], err = public.MarshalJWK(); err != nil {
			return "", err
		}
	}
	own, err := key.Public().MarshalJWK()
	if err != nil {
		return "", err
	}
	var b jose.ClaimsBuilder
	b.NumericDate("iat", from).NumericDate("exp", from.Add(signedSetLife)).Object("root", own).Objects("keys", list...)
	claims, err := b.Claims()
	if err != nil {
		return "", err
	}
	return key.Sign(jose.TypeKeySet, claims)
}

// signedSet is one of the sets that the root has signed.
type signedSet struct {
	from, until time.Time
	text        string
}

// readSignedSets reads what [SignKeySet] has made, sorted by time. All must be of one root.
func readSignedSets(texts []string) ([]signedSet, error) {
	var sets []signedSet
	var root string
	for n, text := range texts {
		text = strings.TrimSpace(text)
		token, err := jose.Parse(text, jose.TypeKeySet)
		if err != nil {
			return nil, fmt.Errorf("issuer: WithSignedKeySets: set %d: %w", n+1, err)
		}
		if root == "" {
			root = token.KeyID()
		}
		if token.KeyID() != root {
			return nil, fmt.Errorf("issuer: WithSignedKeySets: set %d is signed by another root than the first; "+
				"verifiers pin one, so sign all with it", n+1)
		}
		claims, err := token.VerifyPinned("root", root)
		if err != nil {
			return nil, fmt.Errorf("issuer: WithSignedKeySets: set %d: %w", n+1, err)
		}
		from, until, err := wire.ReadLifetime(claims, signedSetLife)
		if err != nil {
			return nil, fmt.Errorf("issuer: WithSignedKeySets: set %d: %w; make it with SignKeySet", n+1, err)
		}
		sets = append(sets, signedSet{from, until, text})
	}
	slices.SortFunc(sets, func(a, b signedSet) int { return a.from.Compare(b.from) })
	return sets, nil
}

// errNoSignedSet is why there is no signed set to serve.
var errNoSignedSet = errors.New("no signed key set is valid now; let the root sign further sets")

// signedNow returns the newest set whose time has come.
func signedNow(sets []signedSet, now time.Time) (string, error) {
	for _, set := range slices.Backward(sets) {
		if set.from.After(now) {
			continue
		}
		if now.Before(set.until) {
			return set.text, nil
		}
		break
	}
	return "", errNoSignedSet
}
