package keyset

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/jose"
)

// Skipped is a key of a set that is not trusted.
type Skipped struct {
	// Key is its kid, or its place in the set when it has none that can be shown.
	Key string
	// Err is the reason.
	Err error
	// Alarm says that an operator should look at it now: a secret was published.
	Alarm bool
}

var (
	errEmpty  = errors.New("keyset: the set is empty; the issuer has to publish a key")
	errAllBad = errors.New("keyset: no key of the set is usable; the log says why of each, and the issuer has to publish " +
		"another")
	errNameless = errors.New("it has no kid, which only the one key of a set may do without; give each key a kid")
	errTwins    = fmt.Errorf("%d keys of the set have the same kid and algorithm, and no more are tried for one token; "+
		"give each key a kid of its own", maxTwins)
	errTooMany = fmt.Errorf("the set has %d usable keys before it, and no more count; remove old ones", maxKeys)
)

// contents is what is in a set.
type contents struct {
	keys    keysByID
	skipped []Skipped
}

// keysByID are the keys of a set by their kid. Those of one kid stand in the order of their algorithms, and within one
// algorithm in that of the set.
type keysByID map[string][]*jose.PublicKey

// find returns the keys that may have signed a token with this kid and alg. A token without kid may be signed by the
// only key of a set. Where the kid is known and has no key for alg, it returns the others: whoever tries them learns
// that the algorithm is not the key's.
func (k keysByID) find(kid string, alg jose.Algorithm) []*jose.PublicKey {
	keys := k[kid]
	if kid == "" && len(k) == 1 {
		for _, only := range k {
			if len(only) == 1 {
				keys = only
			}
		}
	}
	first := slices.IndexFunc(keys, func(key *jose.PublicKey) bool { return key.Algorithm() == alg })
	if first < 0 {
		return keys[:min(len(keys), maxTwins)]
	}
	last := first
	for last < len(keys) && keys[last].Algorithm() == alg {
		last++
	}
	return keys[first:last]
}

// holds reports whether a key is among them.
func (k keysByID) holds(key *jose.PublicKey) bool { return slices.Contains(k[key.KeyID()], key) }

// ids are the kids, sorted, each as often as there are keys of it.
func (k keysByID) ids() []string {
	var ids []string
	for kid, keys := range k {
		ids = append(ids, slices.Repeat([]string{kid}, len(keys))...)
	}
	slices.Sort(ids)
	return ids
}

// byteOrderMark may stand ahead of a text that some editors and servers write (RFC 8259 section 8.1 lets a reader
// ignore it).
var byteOrderMark = []byte("\xEF\xBB\xBF")

// ingest reads a set. Each key is judged by itself, and only then the good ones are counted. The error says that the
// set must not replace the one before; what was skipped is returned even then.
func ingest(text []byte, c *config) (contents, error) {
	if len(text) > maxBytes {
		return contents{}, fmt.Errorf("keyset: the set is longer than %d bytes; the issuer has to remove old keys", maxBytes)
	}
	list, err := jose.EachKey(bytes.TrimPrefix(text, byteOrderMark))
	if err != nil {
		return contents{}, err
	}
	j := judge{c: c, keys: keysByID{}}
	for text := range list {
		j.add(text)
	}
	j.settleNameless()
	found := contents{j.keys, j.skipped()}
	switch {
	case j.seen == 0 && !c.allowEmpty:
		return found, errEmpty
	case j.seen > 0 && j.count == 0:
		return found, errAllBad
	}
	return found, nil
}

// judge decides which keys of a set count, one by one.
type judge struct {
	c        *config
	keys     keysByID
	seen     int // keys, good and bad
	count    int // of the keys that count
	nameless []nameless
	named    []Skipped
	unnamed  int // keys that were skipped beyond those that are named
}

// nameless is a good key without a kid.
type nameless struct {
	key   *jose.PublicKey
	place string
}

func (j *judge) add(text []byte) {
	j.seen++
	if j.count == maxKeys {
		j.skipText(text, errTooMany)
		return
	}
	key, err := jose.ParseSetKey(text, j.c.keys)
	switch {
	case err != nil:
		j.skipText(text, err)
	case key.Nameless():
		j.keepNameless(key)
	default:
		j.keep(key)
	}
}

// place names the key that is judged by its place in the set.
func (j *judge) place() string { return fmt.Sprintf("number %d", j.seen) }

// nameOf names a key by its kid, or by its place when it has none that can be shown.
func (j *judge) nameOf(text []byte) string {
	if kid := jose.KeyIDOf(text); kid != "" {
		return kid
	}
	return j.place()
}

// keep counts a good key with a kid. One that is there twice counts once.
func (j *judge) keep(key *jose.PublicKey) {
	kid := key.KeyID()
	same, twins := false, 0
	for _, other := range j.keys[kid] {
		if other.Algorithm() == key.Algorithm() {
			same = same || key.Equal(other)
			twins++
		}
	}
	switch {
	case same:
		return
	case twins == maxTwins:
		j.skip(kid, errTwins)
		return
	}
	j.keys[kid] = append(j.keys[kid], key)
	slices.SortStableFunc(j.keys[kid], func(a, b *jose.PublicKey) int {
		return strings.Compare(string(a.Algorithm()), string(b.Algorithm()))
	})
	j.count++
}

// keepNameless remembers a good key without kid, of which only the first few can matter.
func (j *judge) keepNameless(key *jose.PublicKey) {
	switch {
	case slices.ContainsFunc(j.nameless, func(other nameless) bool { return key.Equal(other.key) }):
	case len(j.nameless) == maxTwins:
		j.skip(j.place(), errNameless)
	default:
		j.nameless = append(j.nameless, nameless{key, j.place()})
	}
}

// settleNameless keeps a key without kid where it is the only good one, so that no token leaves open which key it means
// (OpenID Connect Core 1.0 section 10.1).
func (j *judge) settleNameless() {
	if len(j.nameless) == 1 && j.count == 0 {
		j.keep(j.nameless[0].key)
		return
	}
	for _, one := range j.nameless {
		j.skip(one.place, errNameless)
	}
}

// skipText is skip for a key that was not read. The text is read for its name only where that is shown.
func (j *judge) skipText(text []byte, err error) {
	if len(j.named) < maxNamed || errors.Is(err, jose.ReasonSecret) {
		j.skip(j.nameOf(text), err)
		return
	}
	j.unnamed++
}

// skip names a key that does not count, as long as there are not too many of them. An alarm takes the place of another.
func (j *judge) skip(key string, err error) {
	s := Skipped{Key: key, Err: err, Alarm: errors.Is(err, jose.ReasonSecret)}
	if len(j.named) < maxNamed {
		j.named = append(j.named, s)
		return
	}
	j.unnamed++
	if !s.Alarm {
		return
	}
	for i := range j.named {
		if !j.named[i].Alarm {
			j.named[i] = s
			return
		}
	}
}

// skipped are the keys that do not count. The last entry stands for those that are too many to be named.
func (j *judge) skipped() []Skipped {
	if j.unnamed == 0 {
		return j.named
	}
	rest := Skipped{Key: fmt.Sprintf("%d others", j.unnamed), Err: errors.New("they are too many to be named")}
	return append(j.named, rest)
}
