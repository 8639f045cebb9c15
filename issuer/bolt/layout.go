package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
)

// The layout of the file: a bucket for each kind, with the records by their names; a bucket with what expires, by time;
// and a bucket of the store itself, whose sequence numbers the versions.
var (
	ownBucket    = []byte("parley")
	expiryBucket = []byte("expires")
	layoutKey    = []byte("layout")
)

// recordPrefix begins the name of the bucket of a kind.
const recordPrefix = "records/"

// prefixLength is the length of version and expiry before a value.
const prefixLength = 16

func bucketOf(kind store.Kind) []byte { return []byte(recordPrefix + string(kind)) }

func kindOf(bucket []byte) (store.Kind, bool) {
	kind, ok := bytes.CutPrefix(bucket, []byte(recordPrefix))
	return store.Kind(kind), ok
}

// encode encodes a record: its version, its expiry in nanoseconds since 1970 or 0, and its value.
func encode(version uint64, expires time.Time, value []byte) []byte {
	b := make([]byte, 0, prefixLength+len(value))
	b = binary.BigEndian.AppendUint64(b, version)
	b = binary.BigEndian.AppendUint64(b, nanoseconds(expires))
	return append(b, value...)
}

// decode returns the record, and whether it exists at a time.
func decode(kind store.Kind, name, stored []byte, now time.Time) (r store.Record, ok bool, err error) {
	switch {
	case stored == nil:
		return r, false, nil
	case len(stored) < prefixLength:
		return r, false, fmt.Errorf("issuer: bolt: a record of kind %s is too short; restore a backup", kind)
	}
	var expires time.Time
	if at := expiryOf(stored); at != 0 {
		expires = time.Unix(0, int64(at)) //nolint:gosec // nanoseconds has checked it
	}
	if store.Expired(expires, now) {
		return r, false, nil
	}
	return store.Record{
		Kind: kind, Name: string(name), Value: slices.Clone(stored[prefixLength:]),
		Version: binary.BigEndian.Uint64(stored), Expires: expires,
	}, true, nil
}

func expiryOf(stored []byte) uint64 { return binary.BigEndian.Uint64(stored[8:]) }

func nanoseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// checkExpiry refuses times that nanoseconds cannot express.
func checkExpiry(changes []store.Change) error {
	first, last := time.Unix(0, 1), time.Unix(0, math.MaxInt64)
	for _, c := range changes {
		if !c.Expires.IsZero() && (c.Expires.Before(first) || c.Expires.After(last)) {
			return errors.New("issuer: bolt: a record expires before 1970 or after 2262")
		}
	}
	return nil
}

// expiryKey is the key of what expires: keys are ordered by time.
func expiryKey(at uint64, kind store.Kind, name []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, at)
	b = append(append(b, kind...), 0)
	return append(b, name...)
}

func expired(key []byte, now time.Time) bool { return binary.BigEndian.Uint64(key) <= nanoseconds(now) }

func splitExpiryKey(key []byte) (store.Kind, []byte) {
	kind, name, _ := bytes.Cut(key[8:], []byte{0})
	return store.Kind(kind), name
}
