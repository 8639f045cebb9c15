package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// rootMember is the member of a signed key set in which the root's public key stands.
const rootMember = "root"

// signed is a source whose sets are JSON Web Tokens of type jwk-set+jwt. Each is signed by the offline root key whose
// thumbprint is root and which it brings along, is good for at most 24 hours, and is not older than one that was seen
// before. The keys end with their token.
type signed struct {
	source source
	root   string
	latest time.Time // iat of the latest set that was seen
}

func (s *signed) fetch(ctx context.Context, version string) (document, error) {
	doc, err := s.source.fetch(ctx, version)
	if err != nil || doc.unchanged {
		return doc, err
	}
	claims, err := s.verify(string(bytes.TrimSpace(doc.text)))
	if err != nil {
		return document{}, fmt.Errorf("keyset: signed set: %w", err)
	}
	keys, ok := claims.Array("keys")
	if !ok {
		return document{}, errors.New("keyset: signed set: keys is missing or no array; sign the set of the issuer anew")
	}
	doc.text = append(append([]byte(`{"keys":`), keys...), '}')
	if doc.expires, err = s.current(claims, time.Now()); err != nil {
		return document{}, fmt.Errorf("keyset: signed set: %w", err)
	}
	return doc, nil
}

func (s *signed) verify(compact string) (*strictjson.Object, error) {
	token, err := jose.Parse(compact, jose.TypeKeySet)
	if err != nil {
		return nil, err
	}
	return token.VerifyPinned(rootMember, s.root)
}

// current checks the times of a set whose signature held. It returns its end.
func (s *signed) current(claims *strictjson.Object, now time.Time) (time.Time, error) {
	expires, ok, err := claims.NumericDate("exp")
	if err != nil || !ok {
		return time.Time{}, errors.New("exp is missing or no time; sign it anew")
	}
	issued, ok, err := claims.NumericDate("iat")
	if err != nil || !ok {
		return time.Time{}, errors.New("iat is missing or no time; sign it anew")
	}
	switch end := expires.Add(clockSkew); {
	case !expires.After(issued) || expires.Sub(issued) > maxSignedLife:
		return time.Time{}, fmt.Errorf("exp does not lie within %v after iat; sign it for a shorter time", maxSignedLife)
	case issued.Before(s.latest):
		return time.Time{}, errors.New("it is older than one that was seen before; publish the newest")
	case issued.After(now.Add(clockSkew)):
		return time.Time{}, errors.New("iat lies ahead; set the clock of either machine right")
	case !now.Before(end):
		return time.Time{}, errors.New("exp has passed; sign it anew")
	default:
		s.latest = issued
		return end, nil
	}
}

func (s *signed) String() string { return s.source.String() + " signed by " + s.root }
