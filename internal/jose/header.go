package jose

import (
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// header is a JOSE header: by itself exactly three members, each a string. Typ, kid and other members are as the [Form]
// has it.
type header struct {
	algorithm Algorithm
	keyID     string
	typ       string
	others    bool // there are members that were ignored
	spelled   spelled
}

// spelled says which of the names of a header stand there in another case. Such a member is another one (RFC 7515
// section 4), and a publisher who writes it needs to be told.
type spelled struct{ alg, kid, typ bool }

// note notes a member that is none of those that count.
func (s *spelled) note(name string) {
	s.alg = s.alg || strings.EqualFold(name, "alg")
	s.kid = s.kid || strings.EqualFold(name, "kid")
	s.typ = s.typ || strings.EqualFold(name, "typ")
}

// inOtherCase adds to a problem that the member is there under another name.
func inOtherCase(problem string, otherwise bool) string {
	if otherwise {
		return problem + "; the member of that name in another case is another member"
	}
	return problem
}

const (
	// headerMembers is how many members a header has. One more is refused before it is compared with anything.
	headerMembers = 3
	// foreignHeaderMembers is the same where other members are ignored.
	foreignHeaderMembers = 16
)

func parseHeader(segment string, form *Form) (header, error) {
	var raw [maxHeaderLength]byte
	if len(segment) > len(raw)/3*4 {
		return header{}, refuse(ReasonHeader, "too long")
	}
	text, err := decode(raw[:0], segment)
	if err != nil {
		return header{}, refuse(ReasonEncoding, "header")
	}
	most := headerMembers
	if form.OtherHeaders {
		most = foreignHeaderMembers
	}
	var buffer [headerMembers]strictjson.Member
	members, err := strictjson.AppendMembers(buffer[:0], string(text), most)
	if err != nil {
		return header{}, &Error{Reason: ReasonHeader, Cause: err}
	}
	h, err := headerOf(members, form)
	if err != nil {
		return header{}, err
	}
	return h, h.check(form)
}

func headerOf(members []strictjson.Member, form *Form) (h header, err error) {
	var hasAlgorithm, hasKeyID, hasType bool
	for i := range members {
		value, isString := members[i].Value.String()
		switch name := members[i].Name; name {
		case "alg":
			h.algorithm, _ = AlgorithmOf(value)
			hasAlgorithm = isString
		case "kid":
			h.keyID, hasKeyID = value, true
		case "typ":
			h.typ, hasType = value, true
		default:
			if hardHeader(name) {
				return header{}, refuse(ReasonHeader, "member "+strings.ToLower(name)+", which is never accepted")
			}
			h.spelled.note(name)
			if !form.OtherHeaders {
				return header{}, refuse(ReasonHeader, h.otherMember())
			}
			h.others = true
			continue
		}
		if !isString {
			return header{}, refuse(ReasonHeader, "alg, kid or typ is no string")
		}
	}
	switch {
	case !hasAlgorithm:
		return header{}, refuse(ReasonHeader, inOtherCase("alg is missing", h.spelled.alg))
	case !hasKeyID && !form.NoKeyID:
		return header{}, refuse(ReasonHeader, h.noKeyID())
	case !hasType && !form.allows(""):
		return header{}, refuse(ReasonHeader, inOtherCase("typ is missing", h.spelled.typ))
	case hasType && h.typ == "":
		return header{}, refuse(ReasonType, "empty")
	case hasKeyID && !form.allowsKeyID(h.keyID):
		return header{}, refuse(ReasonKeyID, badKeyID)
	}
	return h, nil
}

func (h header) check(form *Form) error {
	switch {
	case h.algorithm == "":
		return refuse(ReasonAlgorithm, "none that is accepted")
	case !form.allows(h.typ):
		return refuse(ReasonType, h.badType())
	default:
		return nil
	}
}

func (h header) otherMember() string {
	return inOtherCase("a member other than alg, kid and typ", h.spelled != spelled{})
}

func (h header) noKeyID() string { return inOtherCase("kid is missing", h.spelled.kid) }

func (h header) badType() string {
	return inOtherCase("not allowed here", h.typ == "" && h.spelled.typ)
}

// hardHeader reports whether a header member of this name is refused whatever the form: it changes what is verified, or
// by which key (RFC 7515 section 4.1, RFC 7797, RFC 7516 section 4.1.3).
func hardHeader(name string) bool {
	return slices.ContainsFunc([]string{"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "cty"},
		func(hard string) bool { return strings.EqualFold(hard, name) })
}

const badKeyID = "empty, too long or not printable"

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
