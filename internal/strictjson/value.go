package strictjson

import (
	"strconv"
	"strings"
)

// Value is one value within an [Object]. The zero Value stands for a member that is missing. Reading a Value allocates
// nothing, unless it is a string with an escape sequence or a list.
type Value struct {
	text string // as it stands, without the white space around it
	kind kind
}

// kind is the kind of a JSON value.
type kind uint8

const (
	kindObject kind = iota + 1
	kindArray
	kindString
	kindNumber
	kindBool
	kindNull
)

// Text returns the JSON text of the value as it stands, without the white space around it.
func (v Value) Text() string { return v.text }

// Exists reports whether there is a value and it is not null.
func (v Value) Exists() bool { return v.kind != 0 && v.kind != kindNull }

// States reports whether there is a value that says something: not null, false, "", {} or [].
func (v Value) States() bool {
	switch v.kind {
	case kindObject, kindArray:
		end := skipSpace(v.text, 1)
		return v.text[end] != '}' && v.text[end] != ']'
	case kindString:
		return v.text != `""`
	case kindBool:
		return v.text[0] == 't'
	case kindNumber:
		return true
	case kindNull:
	}
	return false
}

// String returns a string. It reports false when the value is of another kind.
func (v Value) String() (string, bool) {
	if v.kind != kindString {
		return "", false
	}
	return unquote(v.text), true
}

// Bool returns a boolean. It reports false when the value is of another kind.
func (v Value) Bool() (value, ok bool) {
	return v.kind == kindBool && v.text[0] == 't', v.kind == kindBool
}

// Number returns a number, rounded to the next float64. It reports false when the value is of another kind or too
// large.
func (v Value) Number() (float64, bool) {
	if v.kind != kindNumber {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return n, err == nil
}

// IsNull reports whether there is a value and it is null.
func (v Value) IsNull() bool { return v.kind == kindNull }

// IsList reports whether the value is an array.
func (v Value) IsList() bool { return v.kind == kindArray }

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.kind == kindObject }

// Strings returns an array of nothing but strings, which may be empty. It reports false when the value is of another
// form.
func (v Value) Strings() ([]string, bool) {
	if v.kind != kindArray {
		return nil, false
	}
	list := make([]string, 0, v.count())
	for first, rest, ok := v.Element(); ok; first, rest, ok = rest.Element() {
		text, isText := first.String()
		if !isText {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}

// count returns how many elements an array has, or more where its strings hold commas.
func (v Value) count() int {
	if strings.HasPrefix(v.text[skipSpace(v.text, 1):], "]") {
		return 0
	}
	return min(1+strings.Count(v.text, ","), maxRoom)
}

// Element returns the first element of an array, and an array of the others. It reports false when there is none, or
// the value is of another kind.
func (v Value) Element() (first, rest Value, ok bool) {
	if v.kind != kindArray {
		return Value{}, Value{}, false
	}
	at := skipSpace(v.text, 1) // behind the bracket, or the comma that stands for it
	if v.text[at] == ']' {
		return Value{}, Value{}, false
	}
	end := skipValue(v.text, at)
	return valueOf(v.text[at:end]), Value{v.text[skipSpace(v.text, end):], kindArray}.closed(), true
}

// closed returns an empty array when only "]" is left after the last element.
func (v Value) closed() Value {
	if v.text == "]" {
		v.text = "[]"
	}
	return v
}

// member returns a member of an object.
func (v Value) member(name string) Value {
	if v.kind != kindObject {
		return Value{}
	}
	for at := skipSpace(v.text, 1); v.text[at] == '"'; {
		end := skipString(v.text, at)
		found := unquote(v.text[at:end]) == name
		at = skipSpace(v.text, skipSpace(v.text, end)+1) // the colon
		end = skipValue(v.text, at)
		if found {
			return valueOf(v.text[at:end])
		}
		if at = skipSpace(v.text, end); v.text[at] == ',' {
			at = skipSpace(v.text, at+1)
		}
	}
	return Value{}
}

func valueOf(text string) Value {
	switch text[0] {
	case '{':
		return Value{text, kindObject}
	case '[':
		return Value{text, kindArray}
	case '"':
		return Value{text, kindString}
	case 't', 'f':
		return Value{text, kindBool}
	case 'n':
		return Value{text, kindNull}
	default:
		return Value{text, kindNumber}
	}
}

// The functions below find the end of a text that the scanner has checked, so they look for no mistakes.

func skipSpace(text string, at int) int {
	for text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r' {
		at++
	}
	return at
}

func skipString(text string, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func skipValue(text string, at int) int {
	for depth := 0; ; {
		switch c := text[at]; {
		case c == '"':
			at = skipString(text, at)
		case c == '{' || c == '[':
			depth++
			at++
			continue
		case c == '}' || c == ']':
			depth--
			at++
		case depth == 0:
			end := strings.IndexAny(text[at:], ",]} \t\r\n")
			if end < 0 {
				return len(text)
			}
			return at + end
		default:
			at++
			continue
		}
		if depth == 0 {
			return at
		}
	}
}
