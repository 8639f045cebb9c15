package keyset

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/jose"
)

// Skipped is a key of a set that is not trusted.
type Skipped struct {
	// Key is its kid, or its place in the set when it has none that can be shown.
	Key string
	// Err says why.
	Err error
	// Alarm says that an operator should look at it now: a secret was published, or two keys share a kid.
	Alarm bool
}

var (
	errAmbiguous = errors.New("another key of the set has the same kid; give each key one of its own")
	errEmpty     = errors.New("keyset: the set is empty; the issuer has to publish a key")
	errAllBad    = errors.New("keyset: no key of the set is usable; the log says why of each, and the issuer has to publish another")
)

// contents is what is in a set.
type contents struct {
	keys    map[string]*jose.PublicKey
	skipped []Skipped
}

// ingest reads a set. The error says that it must not replace the one before; what was skipped is returned even then.
func ingest(text []byte, c *config) (contents, error) {
	if len(text) > maxBytes {
		return contents{}, fmt.Errorf("keyset: the set is longer than %d bytes; the issuer has to remove old keys", maxBytes)
	}
	list, err := jose.SplitKeySet(text, maxKeys)
	if err != nil {
		return contents{}, err
	}
	found := contents{keys: make(map[string]*jose.PublicKey, len(list))}
	if len(list) == 0 && !c.allowEmpty {
		return found, errEmpty
	}
	names := make(map[string]int, len(list))
	for _, text := range list {
		names[jose.KeyIDOf(text)]++
	}
	for n, text := range list {
		name := jose.KeyIDOf(text)
		key, err := jose.ParseSetKey(text, c.keys)
		ambiguous := name != "" && names[name] > 1
		switch {
		case err == nil && !ambiguous:
			found.keys[key.KeyID()] = key
			continue
		case err == nil:
			err = errAmbiguous
		}
		if name == "" {
			name = fmt.Sprintf("number %d", n+1)
		}
		found.skipped = append(
			found.skipped,
			Skipped{Key: name, Err: err, Alarm: ambiguous || errors.Is(err, jose.ReasonSecret)},
		)
	}
	if len(found.keys) == 0 && len(list) > 0 {
		return found, errAllBad
	}
	return found, nil
}
