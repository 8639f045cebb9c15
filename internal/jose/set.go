package jose

import "strconv"

// SplitKeySet takes a JWK Set (RFC 7517 section 5) apart: it returns the text of each element of its member keys, in
// their order, for [ParseSetKey] to judge one by one. A mistake inside one element is no error here, as long as the
// element is JSON. Other members of the set are ignored.
//
// The error is an [*Error] with [ReasonKey]: the text is no strict JSON object, has no array keys, or has more than
// most elements in it.
func SplitKeySet(set []byte, most int) ([][]byte, error) {
	s := scanner{text: string(set), limit: maxMembers, loose: true}
	members, err := s.scan()
	if err != nil {
		return nil, &Error{Reason: ReasonKey, Detail: "the key set is no JSON object", Cause: err}
	}
	claims := Claims{members: members}
	keys := claims.find("keys")
	if keys == nil || keys.kind != kindArray {
		return nil, refuse(ReasonKey, "the key set has no array keys")
	}
	list, ok := elements(keys.value, most)
	if !ok {
		return nil, refuse(ReasonKey, "the key set has more than "+strconv.Itoa(most)+" keys")
	}
	return list, nil
}

// elements returns the elements of an array that was scanned before, unless there are more than most.
func elements(array string, most int) ([][]byte, bool) {
	var list [][]byte
	s := scanner{text: array, at: 1, depth: 2, loose: true} // inside of the set and its array
	s.space()
	for s.peek() != ']' {
		start := s.at
		if _, err := s.value(); err != nil || len(list) == most {
			return nil, false
		}
		list = append(list, []byte(array[start:s.at]))
		s.space()
		if s.peek() == ',' {
			s.at++
			s.space()
		}
	}
	return list, true
}

// ReadDocument is [ReadClaims] for the metadata of a provider, which may have more members: at most 512 in each object.
func ReadDocument(object []byte) (*Claims, error) {
	members, err := scanObject(string(object), maxDocumentMembers, nil)
	if err != nil {
		return nil, &Error{Reason: ReasonClaims, Cause: err}
	}
	return &Claims{members: members}, nil
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
	s := scanner{text: string(jwk), limit: maxMembers, loose: true}
	members, err := s.scan()
	if err != nil {
		return ""
	}
	claims := Claims{members: members}
	if kid, _ := claims.String("kid"); usableKeyID(kid) {
		return kid
	}
	return ""
}
