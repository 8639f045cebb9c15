package jose

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// maxInteger is the largest whole number that a float64, as which many read JSON, cannot confuse with another.
const maxInteger = 1<<53 - 1

// ClaimsBuilder writes the claims of a token. Its zero value is ready. The first mistake is kept and returned by
// [ClaimsBuilder.Claims]. A ClaimsBuilder belongs to one goroutine.
type ClaimsBuilder struct {
	text  []byte
	names []string
	err   error
}

// String adds a string claim. Value must be valid UTF-8 without NUL.
func (b *ClaimsBuilder) String(name, value string) *ClaimsBuilder {
	if b.name(name) {
		b.quote(value)
	}
	return b
}

// Strings adds a claim that is an array of strings.
func (b *ClaimsBuilder) Strings(name string, values ...string) *ClaimsBuilder {
	if !b.name(name) {
		return b
	}
	b.text = append(b.text, '[')
	for i, value := range values {
		if i > 0 {
			b.text = append(b.text, ',')
		}
		b.quote(value)
	}
	b.text = append(b.text, ']')
	return b
}

// NumericDate adds a claim that is a point in time, cut to whole seconds. It must lie between 1970 and 9999.
func (b *ClaimsBuilder) NumericDate(name string, t time.Time) *ClaimsBuilder {
	if !b.name(name) {
		return b
	}
	n := t.Unix()
	if n < 1 || n > strictjson.LastSecond {
		b.fail("a time lies outside of 1970 to 9999")
	}
	b.text = strconv.AppendInt(b.text, n, 10)
	return b
}

// Bool adds a claim that is true or false.
func (b *ClaimsBuilder) Bool(name string, value bool) *ClaimsBuilder {
	if b.name(name) {
		b.text = strconv.AppendBool(b.text, value)
	}
	return b
}

// Integer adds a claim that is a whole number. It must lie within the 53 bits that every reader of JSON keeps (RFC 8259
// section 6).
func (b *ClaimsBuilder) Integer(name string, n int64) *ClaimsBuilder {
	if !b.name(name) {
		return b
	}
	if n < -maxInteger || n > maxInteger {
		b.fail("a number has more than 53 bits")
	}
	b.text = strconv.AppendInt(b.text, n, 10)
	return b
}

// Object adds a claim that is an object, from its JSON text, which is checked as strictly as it would be when read.
func (b *ClaimsBuilder) Object(name string, object []byte) *ClaimsBuilder {
	if b.name(name) {
		b.text = append(b.text, object...)
		if err := checkClaims(string(object)); err != nil && b.err == nil {
			b.err = err
		}
	}
	return b
}

// Objects adds a claim that is an array of objects, each from its JSON text, as [ClaimsBuilder.Object] has it.
func (b *ClaimsBuilder) Objects(name string, objects ...[]byte) *ClaimsBuilder {
	if !b.name(name) {
		return b
	}
	b.text = append(b.text, '[')
	for i, object := range objects {
		if i > 0 {
			b.text = append(b.text, ',')
		}
		b.text = append(b.text, object...)
		if err := checkClaims(string(object)); err != nil && b.err == nil {
			b.err = err
		}
	}
	b.text = append(b.text, ']')
	return b
}

// Claims returns the JSON object. The error is an [*Error] with [ReasonClaims]: a name does not match
// ^[A-Za-z0-9_.:/-]{1,64}$ or appears twice (in whatever case), or a value cannot be written.
func (b *ClaimsBuilder) Claims() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if len(b.text) == 0 {
		return []byte("{}"), nil
	}
	text := append(slices.Clone(b.text), '}')
	if err := checkClaims(string(text)); err != nil {
		return nil, err // nested too deep, or too many
	}
	return text, nil
}

func (b *ClaimsBuilder) fail(problem string) {
	if b.err == nil {
		b.err = refuse(ReasonClaims, problem)
	}
}

func (b *ClaimsBuilder) name(name string) bool {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	switch {
	case !safeName(name):
		b.fail(strconv.Quote(name) + ` is no claim name; use 1 to 64 of A-Z a-z 0-9 _ . : / -`)
	case slices.ContainsFunc(b.names, same):
		b.fail("claim " + name + " is there twice")
	}
	if b.err != nil {
		return false
	}
	if len(b.names) == 0 {
		b.text = append(b.text, '{')
	} else {
		b.text = append(b.text, ',')
	}
	b.names = append(b.names, name)
	b.text = append(b.text, '"')
	b.text = append(b.text, name...)
	b.text = append(b.text, '"', ':')
	return true
}

func safeName(name string) bool {
	if name == "" || len(name) > maxNameLength {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !base64url(c) && c != '.' && c != ':' && c != '/' {
			return false
		}
	}
	return true
}

func (b *ClaimsBuilder) quote(value string) {
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		b.fail("a string is not valid UTF-8 or contains NUL")
	}
	b.text = append(b.text, '"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b.text = append(b.text, '\\', c)
		case c < ' ':
			b.text = append(b.text, `\u00`...)
			b.text = append(b.text, hexDigits[c>>4], hexDigits[c&15])
		default:
			b.text = append(b.text, c)
		}
	}
	b.text = append(b.text, '"')
}

const hexDigits = "0123456789abcdef"
