package issuer_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
)

// A verifier that pins the root follows the sets of three days, over a rotation whose next key was signed before.
func TestSignedKeySets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		root, next := newSigner(t), newSigner(t)
		nextKey, err := jose.NewPrivateKey(next)
		if err != nil {
			t.Fatal(err)
		}
		first, err := jose.NewPrivateKey(s.signer)
		if err != nil {
			t.Fatal(err)
		}
		var sets []string
		for day := range 3 {
			set, err := issuer.SignKeySet(root, time.Now().Add(time.Duration(day)*24*time.Hour), jwk(t, first), jwk(t, nextKey))
			if err != nil {
				t.Fatal(err)
			}
			sets = append([]string{set + "\n"}, sets...)
		}
		s.open(issuer.WithSignedKeySets(sets...))
		if err := s.id.Check(); err != nil {
			t.Fatal(err)
		}
		pin, err := jose.NewPrivateKey(root)
		if err != nil {
			t.Fatal(err)
		}
		keys := keyset.URL(issuerName+"/jwks.jwt", keyset.WithRoundTripper(s),
			keyset.WithPinnedRoot(pin.Public().Thumbprint()))
		defer func() { _ = keys.Close() }()
		if err := keys.Check(); err != nil {
			t.Fatal(err)
		}
		for hour := range 3 * 24 {
			time.Sleep(time.Hour)
			if hour == 30 {
				if _, err := s.keys.Rotate(next); err != nil {
					t.Fatal(err)
				}
			}
			r := s.post(s.ownForm())
			token, err := jose.Parse(r.text("access_token"), "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Await(t.Context(), token.KeyID(), token.Algorithm()); err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
		}
		time.Sleep(time.Hour)
		if w := s.ask(http.MethodGet, "/jwks.jwt"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("after the last set: %d", w.Code)
		}
		if !strings.Contains(s.log.String(), "let the root sign further sets") {
			t.Error("the log does not say what to do")
		}
	})
}

func TestSignKeySetMistakes(t *testing.T) {
	root := newSigner(t)
	own, err := jose.NewPrivateKey(root)
	if err != nil {
		t.Fatal(err)
	}
	many := make([][]byte, 17)
	for n := range many {
		many[n] = jwk(t, newKey(t))
	}
	for name, tt := range map[string]struct {
		keys [][]byte
		says string
	}{
		"no key":       {nil, "there are 0 keys"},
		"many":         {many, "there are 17 keys"},
		"no key at 1":  {[][]byte{[]byte("{}")}, "key 1"},
		"the root":     {[][]byte{jwk(t, own)}, "key 1 is the root itself"},
		"private keys": {[][]byte{private(t)}, "key 1"},
	} {
		if _, err := issuer.SignKeySet(root, time.Now(), tt.keys...); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := issuer.SignKeySet(nil, time.Now(), jwk(t, newKey(t))); err == nil {
		t.Error("no root was accepted")
	}
}

func private(t *testing.T) []byte {
	t.Helper()
	text, err := newKey(t).MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSignedKeySetsCheck(t *testing.T) {
	sets := make([]string, 2)
	for n := range sets {
		_, root, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if sets[n], err = issuer.SignKeySet(root, time.Now(), jwk(t, newKey(t))); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		sets []string
		says string
	}{
		"two roots": {sets, "another root than the first"},
		"no token":  {[]string{"x"}, "set 1"},
		"changed":   {[]string{sets[0][:len(sets[0])-4] + "AAAA"}, "set 1"},
	} {
		err := issuer.New(
			issuerName, issuer.NewKeys(newSigner(t)), issuer.NewStatic(), issuer.WithSignedKeySets(tt.sets...),
		).Check()
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
