package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// FuzzRead compares the scanner with a slow reader made of the standard library.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` {"a":1} `, `{"a":1,"a":2}`, `{"a":{"b":[1,2.5e-3,true,false,null,"x"]},"b":{"b":0}}`,
		`{"sub":"\ud83d\ude00"}`, `{"sub":"\ud800"}`, `{"sub":"\\ud800"}`, `{"a":"\u0000"}`, "{\"a\":\"\xff\"}",
		`{"exp":1e9}`, `{"exp":1893456000.75}`, `{"exp":0.0001e13}`, `{"K":1,"` + "\u212a" + `":2}`,
		`{"a":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}`, `{"a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}`,
		`[]`, `{"a":1}x`, `{"a":-0}`, `{"a":01}`, `{"a":[1,]}`, `{"":""}`, `{"\u0061":1}`,
		`{"a":"\ufffd\uFFFD` + "\ufffd" + `"}`, `{"a":"\"`, `{"a":tru}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		claims, err := strictjson.Read(text)
		want := slowCheck(text)
		if (err == nil) != (want == nil) {
			t.Fatalf("%q: scanner says %v, reference says %v", text, err, want)
		}
		if err == nil {
			compareMembers(t, text, claims)
		}
	})
}

func compareMembers(t *testing.T, text []byte, claims *strictjson.Object) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != len(claims.Names()) {
		t.Fatalf("%q: names are %q", text, claims.Names())
	}
	for name, raw := range members {
		if !claims.Has(name) {
			t.Fatalf("%q: no member %q", text, name)
		}
		var value string
		isString := raw[0] == '"' && json.Unmarshal(raw, &value) == nil
		if got, ok := claims.String(name); ok != isString || got != value {
			t.Fatalf("%q: member %q is %q, %v, want %q, %v", text, name, got, ok, value, isString)
		}
		if got, ok := claims.Object(name); ok != (raw[0] == '{') || ok && !bytes.Equal(got, raw) {
			t.Fatalf("%q: member %q is %q, %v", text, name, got, ok)
		}
		compareStrings(t, claims, name, raw)
		compareTimes(t, claims, name, string(raw))
	}
}

func compareStrings(t *testing.T, claims *strictjson.Object, name string, raw json.RawMessage) {
	t.Helper()
	var list []*string
	want := json.Unmarshal(raw, &list) == nil && raw[0] == '['
	for _, element := range list {
		want = want && element != nil
	}
	got, ok := claims.Strings(name)
	if raw[0] == '"' {
		return
	}
	if ok != want || ok && len(got) != len(list) {
		t.Fatalf("%s is %q, %v, want %v", raw, got, ok, want)
	}
	for i := range got {
		if got[i] != *list[i] {
			t.Fatalf("%s is %q", raw, got)
		}
	}
}

var exponent = regexp.MustCompile(`[eE]([+-]?\d+)$`)

func compareTimes(t *testing.T, claims *strictjson.Object, name, raw string) {
	t.Helper()
	got, present, err := claims.NumericDate(name)
	if !present {
		t.Fatalf("%s is absent", raw)
	}
	if m := exponent.FindStringSubmatch(raw); m != nil {
		if n, err := strconv.Atoi(m[1]); err != nil || n > 1000 || n < -1000 {
			return // too slow for big.Rat
		}
	}
	var want int64
	if number, ok := new(big.Rat).SetString(raw); ok && json.Valid([]byte(raw)) && number.Sign() > 0 {
		if whole := new(big.Int).Quo(number.Num(), number.Denom()); whole.IsInt64() && whole.Int64() <= 253402300799 {
			want = whole.Int64()
		}
	}
	if (err == nil) != (want > 0) || err == nil && got.Unix() != want {
		t.Fatalf("%s is %v, %v, want %d", raw, got, err, want)
	}
}

// slowCheck decides with encoding/json, regular expressions and maps what the scanner decides in one pass.
func slowCheck(text []byte) error {
	if !json.Valid(text) || !utf8.Valid(text) || bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return errors.New("no JSON object")
	}
	for _, literal := range literals.FindAllString(string(text), -1) {
		if err := slowString(literal); err != nil {
			return err
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return err
	}
	return slowObject(d, 1)
}

// literals finds the string literals of a valid JSON text.
var literals = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

var escapes = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})|.)|[^\\]`)

func slowString(literal string) error {
	var high bool
	for _, m := range escapes.FindAllStringSubmatch(literal, -1) {
		unit, err := strconv.ParseUint(m[1], 16, 16)
		if err != nil {
			unit = 'x'
		}
		low := utf16.DecodeRune(0xd800, rune(unit)) != utf8.RuneError
		switch {
		case unit == 0:
			return errors.New("NUL")
		case high != low:
			return errors.New("lone surrogate")
		}
		high = utf16.IsSurrogate(rune(unit)) && !low
	}
	return nil
}

func slowObject(d *json.Decoder, depth int) error {
	if depth > 16 {
		return errors.New("too deep")
	}
	var names []string
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		for _, other := range names {
			if strings.EqualFold(name, other) {
				return errors.New("duplicate")
			}
		}
		if names = append(names, name); len(names) > 64 {
			return errors.New("too many members")
		}
		if err := slowValue(d, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func slowValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return slowObject(d, depth+1)
	case json.Delim('['):
		if depth+1 > 16 {
			return errors.New("too deep")
		}
		for d.More() {
			if err := slowValue(d, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}
