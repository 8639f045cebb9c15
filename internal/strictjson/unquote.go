package strictjson

import (
	"strings"
	"unicode/utf16"
)

// unitLength is the length of \uXXXX.
const unitLength = 6

// unit reads the UTF-16 code unit that text begins with, as \uXXXX.
func unit(text string) (rune, bool) {
	if len(text) < unitLength || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for i := 2; i < unitLength; i++ {
		c := text[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote returns the string that a scanned string literal stands for.
func unquote(literal string) string {
	inner := literal[1 : len(literal)-1]
	next := strings.IndexByte(inner, '\\')
	if next < 0 {
		return inner
	}
	var out strings.Builder
	out.Grow(len(inner))
	for ; next >= 0; next = strings.IndexByte(inner, '\\') {
		out.WriteString(inner[:next])
		c := inner[next+1]
		if c != 'u' {
			out.WriteByte(unescape(c))
			inner = inner[next+2:]
			continue
		}
		r, _ := unit(inner[next:])
		inner = inner[next+unitLength:]
		if utf16.IsSurrogate(r) {
			second, _ := unit(inner)
			r = utf16.DecodeRune(r, second)
			inner = inner[unitLength:]
		}
		out.WriteRune(r)
	}
	out.WriteString(inner)
	return out.String()
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c // quote, backslash, slash
	}
}
