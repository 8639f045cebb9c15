package strictjson_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/strictjson"
)

func TestObject(t *testing.T) {
	claims, err := strictjson.Read(
		[]byte(`{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é","one":"x","none":[],"list":[ "a" , "\u0062" ],
		"mixed":["a",1],"null":[null,"a"],"deep":[["a"]],"n":7,"o":{"k": [1]},"t":true,"z":null,"e":""}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"s", "one", "none", "list", "mixed", "null", "deep", "n", "o", "t", "z", "e"}; !slices.Equal(
		claims.Names(),
		want,
	) {
		t.Errorf("names are %q, want %q", claims.Names(), want)
	}
	if got, ok := claims.String("s"); !ok || got != "a\"\\/\b\f\n\r\té😀é" {
		t.Errorf("s = %q, %v", got, ok)
	}
	if got, ok := claims.String("e"); !ok || got != "" {
		t.Errorf("e = %q, %v", got, ok)
	}
	for _, name := range []string{"n", "o", "t", "z", "list", "S", "absent"} {
		if got, ok := claims.String(name); ok {
			t.Errorf("%s is the string %q", name, got)
		}
	}
	for name, want := range map[string][]string{"one": {"x"}, "none": {}, "list": {"a", "b"}, "e": {""}} {
		if got, ok := claims.Strings(name); !ok || !slices.Equal(got, want) {
			t.Errorf("%s = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"mixed", "null", "deep", "n", "o", "absent"} {
		if got, ok := claims.Strings(name); ok {
			t.Errorf("%s are the strings %q", name, got)
		}
	}
	if got, ok := claims.Object("o"); !ok || string(got) != `{"k": [1]}` {
		t.Errorf("o = %s, %v", got, ok)
	}
	if _, ok := claims.Object("list"); ok {
		t.Error("an array is an object")
	}
	if !claims.Has("z") || claims.Has("Z") {
		t.Error("Has does not compare byte for byte")
	}
}

func TestReadShallowLeavesInnerObjectsToTheirReaders(t *testing.T) {
	many := `{` + strings.Repeat(`"a":1,`, 100) + `"a":1}`
	for _, text := range []string{`{"keys":[{"a":1,"a":2}]}`, `{"keys":` + many + `}`} {
		if _, err := strictjson.ReadShallow([]byte(text)); err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
		if _, err := strictjson.Read(text); err == nil {
			t.Errorf("Read accepts %.40s", text)
		}
	}
	for _, text := range []string{`{"keys":1,"KEYS":2}`, many, `{"keys":[1,]}`, `{"keys":{"a":"\ud800"}}`} {
		if _, err := strictjson.ReadShallow([]byte(text)); err == nil {
			t.Errorf("ReadShallow accepts %.40s", text)
		}
	}
}

func TestAppendMembers(t *testing.T) {
	const text = `{"alg":"EdDSA","kid":"a"}`
	var buffer [2]strictjson.Member
	members, err := strictjson.AppendMembers(buffer[:0], text, len(buffer))
	if err != nil || len(members) != 2 || members[1].Name != "kid" || members[1].Value.Text() != `"a"` {
		t.Errorf("members are %v, %v", members, err)
	}
	if _, err := strictjson.AppendMembers(buffer[:0], text, 1); err == nil {
		t.Error("two members are accepted where one is allowed")
	}
}

func TestReadDocumentTakes512Members(t *testing.T) {
	object := func(members int) []byte {
		text := []byte(`{"m":0`)
		for i := 1; i < members; i++ {
			text = fmt.Appendf(text, `,"m%d":0`, i)
		}
		return append(text, '}')
	}
	if _, err := strictjson.ReadDocument(object(512)); err != nil {
		t.Error(err)
	}
	if _, err := strictjson.ReadDocument(object(513)); err == nil {
		t.Error("513 members are accepted")
	}
}

func TestStates(t *testing.T) {
	for value, want := range map[string]bool{
		`null`: false, `false`: false, `""`: false, `{}`: false, `[]`: false, `[ ]`: false, "{\n}": false,
		`true`: true, `"a"`: true, `" "`: true, `0`: true, `[null]`: true, `{"a":null}`: true,
	} {
		object := read(t, `{"name":`+value+`}`)
		if got := object.States("name"); got != want || !object.Has("name") {
			t.Errorf("%s: got %v, want %v", value, got, want)
		}
	}
	if read(t, `{}`).States("name") {
		t.Error("a missing member says something")
	}
}
