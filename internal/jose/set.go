package jose

import "strconv"

// SplitKeySet takes a JWK Set (RFC 7517 section 5) apart: it returns the text of each element of its member keys, in their
// order, for [ParseSetKey] to judge one by one. What is wrong inside of one element is no error here, as long as it is
// JSON. Other members of the set are ignored.
//
// The error is an [*Error] with [ReasonKey]: the text is no strict JSON object, has no array keys, or has more than most
// elements in it.
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

// ParseSetKey is [ParsePublicKey] for a key out of a set that somebody else publishes: it must have a kid, 1 to 128
// printable ASCII characters of the publisher's choice, and its use may be any of those given, or absent.
func ParseSetKey(jwk []byte, uses ...string) (*PublicKey, error) {
	return parsePublicKey(jwk, func(f *fields) { f.named, f.uses = true, uses })
}

// KeyIDOf returns the kid of a JSON Web Key that may be malformed, for messages, or "" when it has none that can be shown.
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
