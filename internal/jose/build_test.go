package jose_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

func TestClaimsBuilder(t *testing.T) {
	got, err := new(jose.ClaimsBuilder).
		String("sub", "a\"b\\c\x01\x7fé</script>").
		Strings("aud", "x", "y").
		Strings("none").
		NumericDate("exp", time.Unix(1893456000, 999)).
		Object("cnf", []byte(`{"jwk":{"kty":"OKP"}}`)).
		Bool("mfa", true).
		Integer("level", -9007199254740991).
		Claims()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"sub":"a\"b\\c\u0001` + "\x7f" + `é</script>","aud":["x","y"],"none":[],"exp":1893456000,"cnf":{"jwk":{"kty":"OKP"}},"mfa":true,"level":-9007199254740991}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestClaimsBuilderWithoutClaims(t *testing.T) {
	if got, err := new(jose.ClaimsBuilder).Claims(); err != nil || string(got) != "{}" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestClaimsBuilderMayGoOn(t *testing.T) {
	var b jose.ClaimsBuilder
	first, err := b.String("a", "1").Claims()
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.String("b", "2").Claims()
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != `{"a":"1"}` || string(second) != `{"a":"1","b":"2"}` {
		t.Errorf("got %s and %s", first, second)
	}
}

func TestAttack68InjectedClaimName(t *testing.T) {
	for _, name := range []string{
		`x":0,"admin`, `"`, `\`, "", " ", "a b", "a\n", "a\x00", "é", "a,b", "{", strings.Repeat("n", 65),
	} {
		var b jose.ClaimsBuilder
		text, err := b.String("sub", "a").String(name, "v").NumericDate("exp", time.Unix(1, 0)).Claims()
		if !errors.Is(err, jose.ReasonClaims) {
			t.Errorf("name %q makes %s, %v", name, text, err)
		}
	}
	for _, name := range []string{"a", "https://parley.example/scope", "urn:x:y", "a_b-c.d", strings.Repeat("n", 64)} {
		if _, err := new(jose.ClaimsBuilder).String(name, "v").Claims(); err != nil {
			t.Errorf("name %q is refused: %v", name, err)
		}
	}
}

func TestClaimsBuilderRefuses(t *testing.T) {
	at := time.Unix(1893456000, 0)
	many := new(jose.ClaimsBuilder)
	for i := range 65 {
		many.String("n"+string(rune('0'+i/10))+string(rune('0'+i%10)), "")
	}
	for name, b := range map[string]*jose.ClaimsBuilder{
		"same name":             new(jose.ClaimsBuilder).String("exp", "").NumericDate("exp", at),
		"same name, other case": new(jose.ClaimsBuilder).String("exp", "").String("EXP", ""),
		"invalid UTF-8":         new(jose.ClaimsBuilder).String("a", "\xff"),
		"NUL":                   new(jose.ClaimsBuilder).String("a", "\x00"),
		"NUL in a list":         new(jose.ClaimsBuilder).Strings("a", "b", "\x00"),
		"year 1969":             new(jose.ClaimsBuilder).NumericDate("exp", time.Unix(-1, 0)),
		"zero time":             new(jose.ClaimsBuilder).NumericDate("exp", time.Time{}),
		"year 10000":            new(jose.ClaimsBuilder).NumericDate("exp", time.Unix(253402300800, 0)),
		"54 bits":               new(jose.ClaimsBuilder).Integer("a", 1<<53),
		"54 bits, negative":     new(jose.ClaimsBuilder).Integer("a", -1<<53),
		"no object":             new(jose.ClaimsBuilder).Object("a", []byte(`1`)),
		"two objects":           new(jose.ClaimsBuilder).Object("a", []byte(`{},"b":{}`)),
		"duplicate in object":   new(jose.ClaimsBuilder).Object("a", []byte(`{"x":1,"x":1}`)),
		"object too deep":       new(jose.ClaimsBuilder).Object("a", []byte(strings.Repeat(`{"a":`, 16)+`1`+strings.Repeat(`}`, 16))),
		"65 claims":             many,
	} {
		if text, err := b.Claims(); !errors.Is(err, jose.ReasonClaims) {
			t.Errorf("%s makes %s, %v", name, text, err)
		}
	}
}

// FuzzClaimsBuilder checks that claims are read back as they were written, or not written at all.
func FuzzClaimsBuilder(f *testing.F) {
	f.Add("sub", "a", "aud", int64(1893456000))
	f.Add(`x":0,"admin`, `"}`, "é", int64(0))
	f.Fuzz(func(t *testing.T, name, value, other string, at int64) {
		text, err := new(
			jose.ClaimsBuilder,
		).String(
			name,
			value,
		).Strings(
			other,
			value,
			name,
		).NumericDate(
			"at",
			time.Unix(at, 0),
		).Claims()
		if err != nil {
			_ = reason(t, err)
			return
		}
		claims, err := strictjson.Read(text)
		if err != nil {
			t.Fatalf("%s is refused: %v", text, err)
		}
		if got, ok := claims.String(name); !ok || got != value || !utf8.ValidString(value) {
			t.Fatalf("%s: %q is %q, want %q", text, name, got, value)
		}
		if got, ok := claims.Strings(other); !ok || len(got) != 2 || got[0] != value || got[1] != name {
			t.Fatalf("%s: %q is %q", text, other, got)
		}
		if got, ok, err := claims.NumericDate("at"); !ok || err != nil || got.Unix() != at {
			t.Fatalf("%s: at is %v, %v", text, got, err)
		}
		if n := len(claims.Names()); n != 3 {
			t.Fatalf("%s has %d claims", text, n)
		}
	})
}
