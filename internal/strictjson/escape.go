package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escape reads an escape sequence in a string. A surrogate without its other half is refused, and so is NUL, at which
// programs written in C would end the string.
func (s *scanner) escape() error {
	if s.at+1 == len(s.text) {
		return s.fail("unfinished string")
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
	default:
		return s.fail("unknown escape sequence")
	}
	first, ok := unit(s.text[s.at:])
	switch {
	case !ok:
		return s.fail("unknown escape sequence")
	case first == 0:
		return s.fail("NUL in a string")
	case !utf16.IsSurrogate(first):
		s.at += unitLength
		return nil
	}
	second, ok := unit(s.text[s.at+unitLength:])
	if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
		return s.fail("lone surrogate")
	}
	s.at += 2 * unitLength
	return nil
}
