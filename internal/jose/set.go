package jose

import (
	"iter"
	"strconv"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// SplitKeySet is [EachKey] as a list, for sets that may have no more than most keys, good and bad.
func SplitKeySet(set []byte, most int) ([][]byte, error) {
	keys, err := EachKey(set)
	if err != nil {
		return nil, err
	}
	var list [][]byte
	for key := range keys {
		if len(list) == most {
			return nil, refuse(ReasonKey, "the key set has more than "+strconv.Itoa(most)+" keys")
		}
		list = append(list, key)
	}
	return list, nil
}

// EachKey takes a JWK Set (RFC 7517 section 5) apart: it yields the text of each element of its member keys, in their
// order, for [ParseSetKey] to judge one by one. A mistake inside one element is no error here, as long as the element
// is JSON. Other members of the set are ignored. The caller bounds the length of the set.
//
// The error is an [*Error] with [ReasonKey]: the text is no strict JSON object, or has no array keys.
func EachKey(set []byte) (iter.Seq[[]byte], error) {
	object, err := strictjson.ReadShallow(set)
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Detail: "the key set is no JSON object", Cause: err}
	}
	keys := object.Lookup([]string{"keys"})
	if !keys.IsList() {
		return nil, refuse(ReasonKey, "the key set has no array keys")
	}
	return func(yield func([]byte) bool) {
		for key, rest, ok := keys.Element(); ok; key, rest, ok = rest.Element() {
			if !yield([]byte(key.Text())) {
				return
			}
		}
	}, nil
}

// SetProfile limits the members of a publisher's keys. The zero value is ready to use.
type SetProfile struct {
	// Uses lists the allowed values of use, where a key has it. Default: sig.
	Uses []string
	// Algorithms lists the allowed algorithms. Default: all of [Algorithms].
	Algorithms []Algorithm
	// UnstatedRSA is the algorithm of an RSA key that states none, where Algorithms allows it. Default: none where both
	// RS256 and PS256 are allowed.
	UnstatedRSA Algorithm
}

// ParseSetKey is [ParsePublicKey] for a key of another publisher's set: Ed25519, P-256, P-384, or RSA of 2048 to 8192
// bits with an odd exponent of 65537 or more, in at most 32 KiB of text. Its kid is of the publisher's choice: 1 to 512
// bytes of printable text, see [UsableSetKeyID]. Without one the key is nameless.
//
// Publishers write members that mean nothing: kid, alg, use, key_ops and those of secrets count as absent when they are
// null, "" or []. Members that keys of this type do not have are ignored.
//
// An RSA key is for the algorithm that it states as alg; when it states none, it is for UnstatedRSA, else
// for the one of RS256 and PS256 that p allows, and refused when p allows both.
func ParseSetKey(jwk []byte, p SetProfile) (*PublicKey, error) {
	if p.Uses == nil {
		p.Uses = ownProfile().uses
	}
	if p.Algorithms == nil {
		p.Algorithms = Algorithms()
	}
	return parsePublicKey(jwk, profile{foreign: true, uses: p.Uses, algorithms: p.Algorithms, unstated: p.UnstatedRSA})
}

// KeyIDOf returns the kid of a JSON Web Key that may be malformed, for messages, or "" when it has none that can be
// shown.
func KeyIDOf(jwk []byte) string {
	object, err := strictjson.ReadShallow(jwk)
	if err != nil {
		return ""
	}
	if kid, _ := object.String("kid"); UsableSetKeyID(kid) {
		return kid
	}
	return ""
}
