package jose

import (
	"unicode"
	"unicode/utf8"
)

// usableKeyID reports whether a kid can be that of a key of Parley, or of a token that is read strictly.
func usableKeyID(id string) bool {
	if id == "" || len(id) > maxKeyIDLength {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// UsableSetKeyID reports whether a kid can be that of an issuer's key: up to 512 bytes of printable text, which may
// have spaces, such as the URL of a key in a key service. It is nothing but a key of a map.
func UsableSetKeyID(kid string) bool {
	if kid == "" || len(kid) > maxSetKeyIDLength || !utf8.ValidString(kid) {
		return false
	}
	for _, r := range kid {
		if !unicode.IsPrint(r) { // of all white space only the space is
			return false
		}
	}
	return true
}
