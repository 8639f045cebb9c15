package issuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
)

// uses is what the keys are for, in their order.
func uses(k *issuer.Keys) string {
	var list []string
	for _, key := range k.State() {
		list = append(list, key.Use)
	}
	return strings.Join(list, " < ")
}

// A key that replaces another is published for 12 minutes before it signs, and the other for an hour and a minute
// after.
func TestRotation58(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := issuer.NewKeys(newSigner(t))
		old := keys.State()[0].KeyID
		signs, err := keys.Rotate(newSigner(t))
		if err != nil || time.Until(signs) != 12*time.Minute {
			t.Fatalf("signs in %v, %v", time.Until(signs), err)
		}
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "signing < next"},
			{12*time.Minute - time.Nanosecond, "signing < next"},
			{time.Nanosecond, "retiring < signing"},
			{61*time.Minute - time.Nanosecond, "retiring < signing"},
			{time.Nanosecond, "signing"},
		} {
			time.Sleep(step.after)
			if got := uses(keys); got != step.want {
				t.Errorf("after %v more: %s, want %s", step.after, got, step.want)
			}
		}
		if keys.State()[0].KeyID == old {
			t.Error("the old key signs")
		}
	})
}

// Rotation every 20 minutes for a day, with a token a minute that a verifier checks until it ends: none fails, and none
// makes it read the key set out of turn.
func TestRotationFailsNoVerification58(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		source := &published{s: s}
		verifier := keyset.URL("https://id.shop.example/jwks.json", keyset.WithRoundTripper(source))
		if err := verifier.Check(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = verifier.Close() }()
		synctest.Wait()
		var tokens []*jose.Token
		minutes := rounds.Of(3 * 60)
		for minute := range minutes {
			if minute%20 == 0 {
				if _, err := s.keys.Rotate(newSigner(t)); err != nil {
					t.Fatal(err)
				}
			}
			token, err := jose.Parse(s.post(s.ownForm()).text("access_token"), "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
			if len(tokens) > 10 { // they live for 10 minutes
				tokens = tokens[1:]
			}
			for age, token := range slices.Backward(tokens) {
				keys, err := verifier.Lookup(token.KeyID(), token.Algorithm())
				if err != nil {
					t.Fatalf("minute %d, token %d: %v", minute, age, err)
				}
				if _, err := token.Verify(keys[0]); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
		if source.readings > minutes/5+4 {
			t.Errorf("%d readings", source.readings)
		}
	})
}

// published is the key set as a verifier reads it, which goes by its max-age.
type published struct {
	s        *shop
	readings int
}

func (p *published) RoundTrip(*http.Request) (*http.Response, error) {
	p.readings++
	w := p.s.ask("GET", "/jwks.json")
	if got := w.Header().Get("Cache-Control"); got != "public, max-age=300" {
		p.s.t.Errorf("Cache-Control: %s", got)
	}
	w.Header().Set("Cache-Control", "public, max-age=330") // as late as a verifier's jitter makes it
	return w.Result(), nil
}

// A key that was published before, such as before a restart, signs as soon as every verifier knows it.
func TestRotationToAPublishedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, old := newSigner(t), newKey(t)
		public, err := jose.NewPrivateKey(next)
		if err != nil {
			t.Fatal(err)
		}
		keys := issuer.NewKeys(newSigner(t), jwk(t, public), jwk(t, old))
		if got := uses(keys); got != "published < published < signing" {
			t.Error(got)
		}
		time.Sleep(10 * time.Minute)
		first, err := keys.Rotate(next)
		if err != nil || time.Until(first) != 2*time.Minute {
			t.Errorf("signs in %v, %v", time.Until(first), err)
		}
		again, err := keys.Rotate(next)
		if err != nil || !again.Equal(first) {
			t.Errorf("asked again: %v, %v", again, err)
		}
		time.Sleep(2 * time.Minute)
		if got := uses(keys); got != "published < retiring < signing" || keys.State()[2].KeyID != public.Public().KeyID() {
			t.Errorf("%s, %v", got, keys.State())
		}
	})
}

// A key that is known to others is out of the set at once, even the one that signs.
func TestRevocation59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		old := s.keys.State()[0].KeyID
		if err := s.keys.Revoke(old); err == nil {
			t.Error("the only key was revoked")
		}
		if _, err := s.keys.Rotate(newSigner(t)); err != nil {
			t.Fatal(err)
		}
		if err := s.keys.Revoke(old); err != nil {
			t.Error(err)
		}
		if got := uses(s.keys); got != "signing" || strings.Contains(string(s.document(t, "/jwks.json")), old) {
			t.Error(got)
		}
		s.token(t, s.post(s.ownForm()), "at+jwt")
		if err := s.keys.Revoke(old); err == nil {
			t.Error("it was revoked twice")
		}
	})
}

func TestKeysRefuse(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := newKey(t).MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	same := newKey(t)
	for want, keys := range map[string]*issuer.Keys{
		"no key to sign with": issuer.NewKeys(nil),
		"not P-256":           issuer.NewKeys(p384),
		"secret material":     issuer.NewKeys(newSigner(t), secret),
		"there twice":         issuer.NewKeys(newSigner(t), jwk(t, same), jwk(t, same)),
		"published key 1":     issuer.NewKeys(newSigner(t), []byte("{}")),
		"at most 16":          issuer.NewKeys(newSigner(t), slices.Repeat([][]byte{jwk(t, same)}, 16)...),
	} {
		err := issuer.New(issuerName, keys, issuer.NewStatic()).Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		first := newSigner(t)
		keys := issuer.NewKeys(first)
		if _, err := keys.Rotate(p384); err == nil {
			t.Error("a P-384 key signs")
		}
		if _, err := keys.Rotate(nil); err == nil {
			t.Error("nobody signs")
		}
		for range 15 {
			if _, err := keys.Rotate(newSigner(t)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := keys.Rotate(newSigner(t)); err == nil {
			t.Error("17 keys are published")
		}
		time.Sleep(12 * time.Minute)
		if _, err := keys.Rotate(first); err == nil {
			t.Error("a key came back whose turn has passed")
		}
	})
}
