package jose

import (
	"slices"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// header is a JOSE header: exactly three members, each a string. Typ may be missing where the reader says so.
type header struct {
	algorithm Algorithm
	keyID     string
	typ       string
}

// headerMembers is how many members a header has. One more is refused before it is compared with anything.
const headerMembers = 3

func parseHeader(segment string, allowedTyp []string) (header, error) {
	var raw [maxHeaderLength]byte
	if len(segment) > len(raw)/3*4 {
		return header{}, refuse(ReasonHeader, "too long")
	}
	text, err := decode(raw[:0], segment)
	if err != nil {
		return header{}, refuse(ReasonEncoding, "header")
	}
	var buffer [headerMembers]strictjson.Member
	members, err := strictjson.AppendMembers(buffer[:0], string(text), headerMembers)
	if err != nil {
		return header{}, &Error{Reason: ReasonHeader, Cause: err}
	}
	h, err := headerOf(members, slices.Contains(allowedTyp, ""))
	if err != nil {
		return header{}, err
	}
	return h, h.check(allowedTyp)
}

func headerOf(members []strictjson.Member, untyped bool) (h header, err error) {
	hasType := false
	for i := range members {
		value, ok := members[i].Value.String()
		if !ok {
			return header{}, refuse(ReasonHeader, "a member is no string")
		}
		switch members[i].Name {
		case "alg":
			h.algorithm, _ = AlgorithmOf(value)
		case "kid":
			h.keyID = value
		case "typ":
			h.typ, hasType = value, true
		default:
			return header{}, refuse(ReasonHeader, "a member other than alg, kid and typ")
		}
	}
	if missing := len(members) < headerMembers; missing && (hasType || len(members) < headerMembers-1 || !untyped) {
		return header{}, refuse(ReasonHeader, "alg, kid and typ are not all there")
	}
	if hasType && h.typ == "" {
		return header{}, refuse(ReasonType, "empty")
	}
	return h, nil
}

func (h header) check(allowedTyp []string) error {
	switch {
	case h.algorithm == "":
		return refuse(ReasonAlgorithm, "none that is accepted")
	case !usableKeyID(h.keyID):
		return refuse(ReasonKeyID, "empty, too long or not printable")
	case !slices.Contains(allowedTyp, h.typ):
		return refuse(ReasonType, "not allowed here")
	default:
		return nil
	}
}

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

func safeType(typ string) bool {
	if typ == "" || len(typ) > maxNameLength {
		return false
	}
	for i := range len(typ) {
		if c := typ[i]; !base64url(c) && c != '.' && c != ':' && c != '/' && c != '+' {
			return false
		}
	}
	return true
}
