package jose_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/strictjson"
)

func TestTokenHolds(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			key, err := jose.GenerateKey(alg)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := key.Sign(typ, []byte(`{"sub":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			token, err := jose.Parse(compact, "other", typ)
			if err != nil {
				t.Fatal(err)
			}
			if token.KeyID() != key.Public().Thumbprint() || token.Type() != typ || token.Algorithm() != alg {
				t.Errorf("token is %v with %v", token, token.Algorithm())
			}
			claims, err := token.Verify(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			if sub, ok := claims.String("sub"); !ok || sub != "a" {
				t.Errorf("sub = %q, %v", sub, ok)
			}
		})
	}
}

func TestHeaderOrderAndSpaceAreFree(t *testing.T) {
	f := newForger(t)
	compact := f.token(" {\n\"typ\" : \"at\\u002bjwt\" , \"kid\":KID,\t\"alg\":\"EdDSA\" }\r\n", ` { "sub" : "a" } `)
	if got := f.check(t, compact, f.public); got != "" {
		t.Errorf("refused because of %q", got)
	}
}

func TestAnotherKeyRefuses(t *testing.T) {
	f := newForger(t)
	token, err := jose.Parse(f.token(goodHeader, `{}`), typ)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.ES256} {
		other, err := jose.GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.Verify(other.Public()); err == nil {
			t.Errorf("a token verifies with another %s key", alg)
		}
	}
	if _, err := token.Verify(nil); !errors.Is(err, jose.ReasonKey) {
		t.Errorf("without a key: %v", err)
	}
}

func TestNoTypeAllowedRefusesAll(t *testing.T) {
	f := newForger(t)
	if _, err := jose.Parse(f.token(goodHeader, `{}`)); !errors.Is(err, jose.ReasonType) {
		t.Errorf("err = %v", err)
	}
}

func TestEveryFlippedBitRefuses(t *testing.T) {
	f := newForger(t)
	compact := f.token(goodHeader, `{"sub":"a","exp":1893456000}`)
	for i := range compact {
		for bit := range 8 {
			flipped := []byte(compact)
			flipped[i] ^= 1 << bit
			if got := f.check(t, string(flipped), f.public); got == "" {
				t.Fatalf("byte %d, bit %d: still verifies", i, bit)
			}
		}
	}
}

func TestEveryPrefixRefuses(t *testing.T) {
	f := newForger(t)
	compact := f.token(goodHeader, `{"sub":"a"}`)
	for i := range compact {
		if got := f.check(t, compact[:i], f.public); got == "" {
			t.Fatalf("the first %d bytes verify", i)
		}
	}
}

func TestErrorsAndPrintsShowNoSecret(t *testing.T) {
	f := newForger(t)
	compact := f.token(goodHeader, `{"sub":"walrus"}`)
	token, err := jose.Parse(compact, typ)
	if err != nil {
		t.Fatal(err)
	}
	_, payload, _ := strings.Cut(compact, ".")
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if text := fmt.Sprintf(verb, token); strings.Contains(text, payload[:10]) || strings.Contains(text, "walrus") {
			t.Errorf("%s prints %q", verb, text)
		}
	}
	broken := f.token(goodHeader, `{"sub":"walrus","sub":"walrus"}`)
	token, err = jose.Parse(broken, typ)
	if err != nil {
		t.Fatal(err)
	}
	_, err = token.Verify(f.public)
	if want := "jose: claims: duplicate member at byte 16"; err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
	var syntax *strictjson.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset != 16 {
		t.Errorf("%v does not wrap its place", err)
	}
}
