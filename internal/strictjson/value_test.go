package strictjson_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/strictjson"
)

func read(t testing.TB, text string) *strictjson.Object {
	t.Helper()
	claims, err := strictjson.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestLookup(t *testing.T) {
	claims := read(
		t,
		`{ "tenant":"blue", "a.b": 1, "realm" : { "x]" : "}" , "roles" : [ "admin" , "dev" ], "deep": {"on": true} },
		"esc\u0061pe": {"\u006e": "v\n"}, "gone": null, "none": [],
		"mixed": [1, "one", false, null, [2, ["]"]], {"a": "}"}, -1.5e2], "big": 1e999}`,
	)
	for _, test := range []struct {
		path []string
		want any
	}{
		{[]string{"tenant"}, "blue"},
		{[]string{"a.b"}, 1.0},
		{[]string{"a", "b"}, "missing"},
		{[]string{"realm", "x]"}, "}"},
		{[]string{"realm", "roles"}, []any{"admin", "dev"}},
		{[]string{"realm", "deep", "on"}, true},
		{[]string{"realm", "deep", "off"}, "missing"},
		{[]string{"realm", "roles", "admin"}, "missing"},
		{[]string{"tenant", "blue"}, "missing"},
		{[]string{"escape", "n"}, "v\n"},
		{[]string{"Tenant"}, "missing"},
		{[]string{"gone"}, "missing"},
		{[]string{"none"}, []any{}},
		{[]string{"mixed"}, []any{1.0, "one", false, "missing", []any{2.0, []any{"]"}}, "object", -150.0}},
		{[]string{"big"}, "missing"},
		{nil, "missing"},
	} {
		if got := plain(claims.Lookup(test.path)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.path, got, test.want)
		}
	}
	if got := plain((*strictjson.Object)(nil).Lookup([]string{"a"})); got != "missing" {
		t.Errorf("no object: got %v", got)
	}
}

// plain is a value as Go has it.
func plain(v strictjson.Value) any {
	if s, ok := v.String(); ok {
		return s
	}
	if n, ok := v.Number(); ok {
		return n
	}
	if b, ok := v.Bool(); ok {
		return b
	}
	if v.IsList() {
		list := []any{}
		for first, rest, ok := v.Element(); ok; first, rest, ok = rest.Element() {
			list = append(list, plain(first))
		}
		return list
	}
	if v.IsObject() {
		return "object"
	}
	return "missing"
}

func TestLookupAllocatesNothing(t *testing.T) {
	claims := read(t, `{"realm":{"roles":["dev","admin"],"level":3,"mfa":true}}`)
	roles, level, mfa := []string{"realm", "roles"}, []string{"realm", "level"}, []string{"realm", "mfa"}
	if allocs := testing.AllocsPerRun(100, func() {
		for first, rest, ok := claims.Lookup(roles).Element(); ok; first, rest, ok = rest.Element() {
			_, _ = first.String()
		}
		_, _ = claims.Lookup(level).Number()
		_, _ = claims.Lookup(mfa).Bool()
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Whatever object the scanner takes, every value in it is found and is what encoding/json reads.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":[1,{"c":"d"},[]]},"e":"\u00e9\\\""}`, ` { "a" : [ ] , "b" : { } } `,
		`{"a":"]},{","b":[[[]]]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		claims, err := strictjson.Read([]byte(text))
		if err != nil {
			return
		}
		var slow map[string]any
		if json.Unmarshal([]byte(text), &slow) != nil {
			return // such as a number beyond float64
		}
		compare(t, claims, nil, slow)
	})
}

func compare(t *testing.T, claims *strictjson.Object, path []string, want any) {
	if len(path) > 0 {
		same(t, path, claims.Lookup(path), want)
	}
	if object, ok := want.(map[string]any); ok {
		for name, value := range object {
			compare(t, claims, append(slices.Clip(path), name), value)
		}
	}
}

func same(t *testing.T, path []string, v strictjson.Value, want any) {
	switch want := want.(type) {
	case nil:
		if v.Exists() {
			t.Errorf("%q exists", path)
		}
	case []any:
		n := 0
		for first, rest, ok := v.Element(); ok; first, rest, ok = rest.Element() {
			if n < len(want) {
				same(t, path, first, want[n])
			}
			n++
		}
		if n != len(want) || !v.IsList() {
			t.Errorf("%q has %d elements, want %d", path, n, len(want))
		}
	case map[string]any:
		if !v.IsObject() {
			t.Errorf("%q is no object", path)
		}
	default:
		if got := plain(v); got != want {
			t.Errorf("%q is %v, want %v", path, got, want)
		}
	}
}
