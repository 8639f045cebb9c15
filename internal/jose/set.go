package jose

import (
	"strconv"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// SplitKeySet takes a JWK Set (RFC 7517 section 5) apart: it returns the text of each element of its member keys, in
// their order, for [ParseSetKey] to judge one by one. A mistake inside one element is no error here, as long as the
// element is JSON. Other members of the set are ignored.
//
// The error is an [*Error] with [ReasonKey]: the text is no strict JSON object, has no array keys, or has more than
// most elements in it.
func SplitKeySet(set []byte, most int) ([][]byte, error) {
	object, err := strictjson.ReadShallow(set)
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Detail: "the key set is no JSON object", Cause: err}
	}
	keys := object.Lookup([]string{"keys"})
	if !keys.IsList() {
		return nil, refuse(ReasonKey, "the key set has no array keys")
	}
	var list [][]byte
	for key, rest, ok := keys.Element(); ok; key, rest, ok = rest.Element() {
		if len(list) == most {
			return nil, refuse(ReasonKey, "the key set has more than "+strconv.Itoa(most)+" keys")
		}
		list = append(list, []byte(key.Text()))
	}
	return list, nil
}

// SetProfile limits the members of a publisher's keys. The zero value is ready to use.
type SetProfile struct {
	// Uses lists the allowed values of use, where a key has it. Default: sig.
	Uses []string
	// Algorithms lists the allowed algorithms. Default: all of [Algorithms].
	Algorithms []Algorithm
}

// ParseSetKey is [ParsePublicKey] for a key of another publisher's set: Ed25519, P-256, P-384, or RSA of 2048 to 8192
// bits with an odd exponent of 65537 or more. It must have a kid, 1 to 128 printable ASCII characters of the
// publisher's choice. An RSA key is for the algorithm that it states as alg; when it states none, it is for the one of
// RS256 and PS256 that p allows, and refused when p allows both.
func ParseSetKey(jwk []byte, p SetProfile) (*PublicKey, error) {
	if p.Uses == nil {
		p.Uses = ownProfile().uses
	}
	if p.Algorithms == nil {
		p.Algorithms = Algorithms()
	}
	return parsePublicKey(jwk, profile{named: true, uses: p.Uses, algorithms: p.Algorithms})
}

// KeyIDOf returns the kid of a JSON Web Key that may be malformed, for messages, or "" when it has none that can be
// shown.
func KeyIDOf(jwk []byte) string {
	object, err := strictjson.ReadShallow(jwk)
	if err != nil {
		return ""
	}
	if kid, _ := object.String("kid"); usableKeyID(kid) {
		return kid
	}
	return ""
}
