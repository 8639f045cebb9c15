package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
)

// KeySet is the public keys of an [Issuer]. The zero KeySet holds none. It is safe for concurrent use.
type KeySet struct{ source keySource }

// StaticKeys returns the key set that holds exactly the keys given, each a JSON Web Key (RFC 7517) as text: an Ed25519 or
// a P-256 public key. The error names each that is malformed, secret, or there twice.
func StaticKeys(jwks ...[]byte) (KeySet, error) {
	set := make(staticKeys, len(jwks))
	var errs []error
	for n, text := range jwks {
		key, err := jose.ParsePublicKey(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("auth: StaticKeys: key %d: %w", n+1, err))
		case set[key.Thumbprint()] != nil:
			errs = append(errs, fmt.Errorf("auth: StaticKeys: key %d is there twice", n+1))
		default:
			set[key.Thumbprint()] = key
		}
	}
	if len(jwks) == 0 {
		errs = append(errs, errors.New("auth: StaticKeys: there is no key"))
	}
	if err := errors.Join(errs...); err != nil {
		return KeySet{}, err
	}
	return KeySet{set}, nil
}

// staticKeys never change.
type staticKeys map[string]*jose.PublicKey

func (s staticKeys) lookup(kid string) (*jose.PublicKey, error) {
	if key := s[kid]; key != nil {
		return key, nil
	}
	return nil, errUnknownKey
}

func (s staticKeys) await(_ context.Context, kid string) (*jose.PublicKey, error) {
	return s.lookup(kid)
}

func (s staticKeys) holds(kid string, key *jose.PublicKey) bool { return key != nil && s[kid] == key }

func (staticKeys) generation() uint64 { return 0 }

var errUnknownKey = errors.New("auth: the key set holds no key of that kid")
