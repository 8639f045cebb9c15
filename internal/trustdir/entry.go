package trustdir

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// Entry says that a key belongs to an ID.
type Entry struct {
	// ID is the one workload that the key proves.
	ID string
	// Key is the key.
	Key *jose.PublicKey
}

// parseEntry reads the text of the file called name in the folder of a trust domain.
func parseEntry(domain, name string, text []byte, validID func(string) error) (Entry, error) {
	claims, err := strictjson.Read(text)
	if err != nil {
		return Entry{}, fmt.Errorf("no strict JSON object, so publish the key anew: %w", err)
	}
	id, hasID := claims.String("id")
	jwk, hasKey := claims.Object("jwk")
	if !hasID || !hasKey || len(claims.Names()) != 2 {
		return Entry{}, errors.New(`the members are not exactly the string "id" and the object "jwk"; publish the key anew`)
	}
	if err := validID(id); err != nil {
		return Entry{}, err
	}
	folder, path, err := splitID(id)
	if err != nil {
		return Entry{}, err
	}
	key, err := jose.ParsePublicKey(jwk)
	if err != nil {
		return Entry{}, err
	}
	if folder != domain {
		return Entry{}, fmt.Errorf("the ID %s belongs in folder %s; move the file there", id, folder)
	}
	if want := fileName(path, key.Thumbprint()); want != name {
		return Entry{}, fmt.Errorf("for this ID and key the file must be called %s", want)
	}
	return Entry{ID: id, Key: key}, nil
}

// formatEntry writes what parseEntry reads.
func formatEntry(id string, key *jose.PublicKey) ([]byte, error) {
	jwk, err := key.MarshalJWK()
	if err != nil {
		return nil, err
	}
	text, err := new(jose.ClaimsBuilder).String("id", id).Object("jwk", jwk).Claims()
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
