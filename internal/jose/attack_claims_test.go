package jose_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestAttack18To21And43And45Payload(t *testing.T) {
	f := newForger(t)
	nested := func(levels int) string {
		return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
	}
	nestedObjects := func(levels int) string {
		return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	}
	members := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = `"m` + string(rune('0'+i/10)) + string(rune('0'+i%10)) + `":0`
		}
		return "{" + strings.Join(names, ",") + "}"
	}
	for _, c := range []struct {
		name, payload string
		want          jose.Reason
	}{
		{"row 18: aud twice", `{"aud":"evil","aud":"us"}`, jose.ReasonClaims},
		{"row 18: exp twice", `{"exp":1,"sub":"a","exp":1893456000}`, jose.ReasonClaims},
		{"row 18: escaped", `{"aud":"evil","\u0061ud":"us"}`, jose.ReasonClaims},
		{"row 18: in an object below", `{"cnf":{"jwk":{"x":1,"y":2,"x":3}}}`, jose.ReasonClaims},
		{"row 18: in an object in an array", `{"a":[{"x":1},{"x":1,"x":2}]}`, jose.ReasonClaims},
		{"row 18: same name in other objects", `{"a":{"a":{"b":1},"b":2},"b":{"a":3}}`, ""},
		{"row 19: both cases", `{"exp":1893456000,"EXP":1}`, jose.ReasonClaims},
		{"row 19: both cases below", `{"a":{"x":1,"X":1}}`, jose.ReasonClaims},
		{"row 19: long s", `{"sub":"a","ſub":"b"}`, jose.ReasonClaims},
		{"row 20: second object", `{"sub":"a"}{"sub":"b"}`, jose.ReasonClaims},
		{"row 20: trailing comma", `{"sub":"a"},`, jose.ReasonClaims},
		{"row 20: trailing NUL", "{\"sub\":\"a\"}\x00", jose.ReasonClaims},
		{"row 20: trailing text", `{"sub":"a"} x`, jose.ReasonClaims},
		{"row 21: null", `null`, jose.ReasonClaims},
		{"row 21: array", `[{"sub":"a"}]`, jose.ReasonClaims},
		{"row 21: string", `"sub"`, jose.ReasonClaims},
		{"row 21: number", `1`, jose.ReasonClaims},
		{"row 21: blank", ` `, jose.ReasonClaims},
		{"row 21: half an object", `{"sub":"a"`, jose.ReasonClaims},
		{"row 21: byte order mark", "\ufeff{}", jose.ReasonClaims},
		{"row 21: comment", `{/**/"sub":"a"}`, jose.ReasonClaims},
		{"row 21: single quotes", `{'sub':'a'}`, jose.ReasonClaims},
		{"row 21: NaN", `{"a":NaN}`, jose.ReasonClaims},
		{"row 21: leading zero", `{"a":01}`, jose.ReasonClaims},
		{"row 21: no member after comma", `{"a":1,}`, jose.ReasonClaims},
		{"row 21: no element after comma", `{"a":[1,]}`, jose.ReasonClaims},
		{"row 43: 16 levels", nested(16), ""},
		{"row 43: 17 levels", nested(17), jose.ReasonClaims},
		{"row 43: 16 levels of objects", nestedObjects(16), ""},
		{"row 43: 17 levels of objects", nestedObjects(17), jose.ReasonClaims},
		{"row 43: 2,500 levels", nested(2500), jose.ReasonClaims},
		{"row 43: 9,000 levels", nested(9000), jose.ReasonSize},
		{"row 43: 64 members", members(64), ""},
		{"row 43: 65 members", members(65), jose.ReasonClaims},
		{"row 43: 65 members below", `{"a":` + members(65) + `}`, jose.ReasonClaims},
		{"row 45: invalid UTF-8", "{\"sub\":\"a\xff\"}", jose.ReasonClaims},
		{"row 45: overlong UTF-8", "{\"sub\":\"\xc0\xaf\"}", jose.ReasonClaims},
		{"row 45: surrogate in UTF-8", "{\"sub\":\"\xed\xa0\x80\"}", jose.ReasonClaims},
		{"row 45: invalid UTF-8 in a name", "{\"su\xff\":\"a\"}", jose.ReasonClaims},
		{"row 45: high surrogate alone", `{"sub":"\ud800"}`, jose.ReasonClaims},
		{"row 45: high surrogate before text", `{"sub":"\ud800a"}`, jose.ReasonClaims},
		{"row 45: high surrogate before another", `{"sub":"\ud800\ud800"}`, jose.ReasonClaims},
		{"row 45: low surrogate alone", `{"sub":"\udc00"}`, jose.ReasonClaims},
		{"row 45: surrogate pair", `{"sub":"\ud83d\ude00"}`, ""},
		{"row 45: replacement character", `{"sub":"\ufffd"}`, ""},
		{"row 45: NUL escaped", `{"sub":"a\u0000"}`, jose.ReasonClaims},
		{"row 45: NUL raw", "{\"sub\":\"a\x00\"}", jose.ReasonClaims},
		{"row 45: NUL in a name", `{"su\u0000b":"a"}`, jose.ReasonClaims},
		{"row 45: control character", "{\"sub\":\"a\nb\"}", jose.ReasonClaims},
		{"row 45: unknown escape", `{"sub":"\x41"}`, jose.ReasonClaims},
		{"row 45: half an escape", `{"sub":"\u00"}`, jose.ReasonClaims},
		{"row 45: string ends in a backslash", `{"sub":"\`, jose.ReasonClaims},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := f.check(t, f.token(goodHeader, c.payload), f.public); got != c.want {
				t.Errorf("refused because of %q, want %q", got, c.want)
			}
		})
	}
}
