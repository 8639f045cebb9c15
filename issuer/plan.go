package issuer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// plan is which key signs when: the published keys, sorted by the time at which they start to sign. Keys that are only
// published come first. A plan is never modified.
type plan []ownKey

// ownKey is a key with its times.
type ownKey struct {
	public *jose.PublicKey
	signer *jose.PrivateKey // nil if the key is only published
	handle []byte           // by which a key service opens it again; nil if the key is not stored
	known  time.Time        // when it was published
	from   time.Time        // when it starts to sign
}

// rotate returns the plan with a next key, and when that key signs. Its known is when it would be published first.
func (p plan) rotate(key ownKey, now time.Time) (rotated plan, signs time.Time, err error) {
	rotated = p.pruned(now)
	if n := rotated.find(key.public.KeyID()); n >= 0 {
		switch {
		case rotated[n].signer == nil:
		case n < rotated.signing(now):
			return nil, time.Time{}, errors.New("the key was replaced by another before; make a new one")
		default:
			return rotated, rotated[n].from, nil
		}
		key.known = rotated[n].known
		rotated = slices.Delete(rotated, n, n+1)
	} else if len(rotated) >= maxKeys {
		return nil, time.Time{}, fmt.Errorf(
			"%d keys are published already; wait until some are over, or revoke them", len(rotated),
		)
	}
	key.from = key.known.Add(keyLead)
	if key.from.Before(now) {
		key.from = now
	}
	rotated = append(rotated, key)
	slices.SortStableFunc(rotated, func(a, b ownKey) int { return a.from.Compare(b.from) })
	return rotated, key.from, nil
}

// revoke returns the plan without a key.
func (p plan) revoke(kid string, now time.Time) (plan, error) {
	left := p.pruned(now)
	n := left.find(kid)
	if n < 0 {
		return nil, errors.New("no key of that name is published; Keys.State lists those that are")
	}
	if n == left.signing(now) {
		if n+1 == len(left) {
			return nil, errors.New("no other key could sign; rotate to one first")
		}
		left[n+1].from = now
	}
	return slices.Delete(left, n, n+1), nil
}

// signing returns the index of the signing key: the last key whose time has come.
func (p plan) signing(now time.Time) int {
	n, _ := slices.BinarySearchFunc(
		p, now, func(key ownKey, now time.Time) int { return cmp.Or(key.from.Compare(now), -1) },
	)
	return n - 1
}

// pruned returns a copy of the plan without the keys whose last token has expired.
func (p plan) pruned(now time.Time) plan {
	signing := p.signing(now)
	var kept plan
	for n, key := range p {
		if key.signer == nil || n >= signing || now.Before(p[n+1].from.Add(keyRetirement)) {
			kept = append(kept, key)
		}
	}
	return kept
}

func (p plan) find(kid string) int {
	return slices.IndexFunc(p, func(key ownKey) bool { return key.public.KeyID() == kid })
}
