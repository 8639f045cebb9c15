package jose

import "time"

// Claims are the members of a strict JSON object, usually the payload of a token that was verified. Claims never change
// and may be used from any goroutine. Names are compared byte for byte.
type Claims struct {
	members []member
	buffer  [12]member // where members begin; tokens seldom have more
}

// ReadClaims reads a JSON object that did not come from a token, such as a file, as strictly as [Token.Verify] reads a
// payload. The error is an [*Error] with [ReasonClaims].
func ReadClaims(object []byte) (*Claims, error) { return parseClaims(string(object)) }

func parseClaims(text string) (*Claims, error) {
	c := &Claims{}
	members, err := scanObject(text, maxMembers, c.buffer[:0])
	if err != nil {
		return nil, &Error{Reason: ReasonClaims, Cause: err}
	}
	c.members = members
	return c, nil
}

func (c *Claims) find(name string) *member {
	for i := range c.members {
		if c.members[i].name == name {
			return &c.members[i]
		}
	}
	return nil
}

// Has reports whether there is a claim of this name, of whatever kind.
func (c *Claims) Has(name string) bool { return c.find(name) != nil }

// Names lists the names of all claims in their order.
func (c *Claims) Names() []string {
	names := make([]string, len(c.members))
	for i := range c.members {
		names[i] = c.members[i].name
	}
	return names
}

// String returns a claim that is a string. It reports false when there is no such claim or it is of another kind.
func (c *Claims) String(name string) (string, bool) {
	m := c.find(name)
	if m == nil || m.kind != kindString {
		return "", false
	}
	return unquote(m.value), true
}

// Strings returns a claim that is a string, as a list of one, or an array of nothing but strings, which may be empty.
// That is the form of an audience (RFC 7519 section 4.1.3). It reports false when there is no such claim or it is of
// another form.
func (c *Claims) Strings(name string) ([]string, bool) {
	m := c.find(name)
	switch {
	case m == nil:
		return nil, false
	case m.kind == kindString:
		return []string{unquote(m.value)}, true
	case m.kind == kindArray:
		return stringsOf(m.value)
	default:
		return nil, false
	}
}

// stringsOf reads the elements of an array that was scanned before.
func stringsOf(array string) ([]string, bool) {
	list := []string{}
	s := scanner{text: array, at: 1}
	s.space()
	for s.peek() != ']' {
		start := s.at
		if s.peek() != '"' || s.string() != nil {
			return nil, false
		}
		list = append(list, unquote(array[start:s.at]))
		s.space()
		if s.peek() == ',' {
			s.at++
			s.space()
		}
	}
	return list, true
}

// Object returns the JSON text of a claim that is an object. It reports false when there is no such claim or it is of
// another kind.
func (c *Claims) Object(name string) ([]byte, bool) {
	m := c.find(name)
	if m == nil || m.kind != kindObject {
		return nil, false
	}
	return []byte(m.value), true
}

// Array returns the JSON text of a claim that is an array. It reports false when there is no such claim or it is of
// another kind.
func (c *Claims) Array(name string) ([]byte, bool) {
	m := c.find(name)
	if m == nil || m.kind != kindArray {
		return nil, false
	}
	return []byte(m.value), true
}

// NumericDate returns a claim that is a point in time (RFC 7519 section 2), cut to whole seconds. It reports false, and
// no error, when there is no such claim. The error is an [*Error] with [ReasonClaims] when the claim is no number, or
// lies before the second 1 of 1970 or after the year 9999.
func (c *Claims) NumericDate(name string) (time.Time, bool, error) {
	m := c.find(name)
	if m == nil {
		return time.Time{}, false, nil
	}
	if m.kind != kindNumber {
		return time.Time{}, true, refuse(ReasonClaims, "a time is no number")
	}
	n, ok := seconds(m.value)
	if !ok {
		return time.Time{}, true, refuse(ReasonClaims, "a time lies outside of 1970 to 9999")
	}
	return time.Unix(n, 0), true, nil
}
