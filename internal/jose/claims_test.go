package jose_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestClaims(t *testing.T) {
	claims, err := jose.ReadClaims(
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
