package keyset_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

// signed signs a key set with a root key.
func signed(t testing.TB, root *jose.PrivateKey, typ string, keys string, change map[string]any) string {
	t.Helper()
	jwk, err := root.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iat": time.Now().
			Unix(),
		"exp": time.Now().Add(12 * time.Hour).Unix(), "keys": json.RawMessage("[" + keys + "]"), "root": json.RawMessage(jwk),
	}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := root.Sign(typ, text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func startSigned(t testing.TB, e *endpoint, root string) *keyset.Set {
	t.Helper()
	s := keyset.URL(address, keyset.WithPinnedRoot(root), keyset.WithRoundTripper(e))
	keyset.SetRandom(s, half)
	s.Start()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A signed set is believed by its root, by its times, and never when it is older than the last one.
func TestSignedSet(t *testing.T) {
	root, rootText := key(t)
	other, otherText := key(t)
	k, text := key(t)
	for name, test := range map[string]struct {
		set  func() string
		says string // "" when it is good
	}{
		"good":               {func() string { return signed(t, root, "jwk-set+jwt", text, nil) }, ""},
		"line end behind it": {func() string { return signed(t, root, "jwk-set+jwt", text, nil) + "\n" }, ""},
		"with other claims":  {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"iss": "x"}) }, ""},
		"plain set":          {func() string { return jwks(text) }, "jose"},
		"another type":       {func() string { return signed(t, root, "JWT", text, nil) }, "typ"},
		"another root":       {func() string { return signed(t, other, "jwk-set+jwt", text, nil) }, "kid"},
		"another root brought": {func() string {
			return signed(t, root, "jwk-set+jwt", text, map[string]any{"root": json.RawMessage(otherText)})
		}, "kid"},
		"another root in disguise": {func() string {
			return signed(t, other, "jwk-set+jwt", text, map[string]any{"root": json.RawMessage(rootText)})
		}, "kid"},
		"no root":       {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"root": nil}) }, "root"},
		"root a string": {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"root": "x"}) }, "root"},
		"no keys":       {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"keys": nil}) }, "keys"},
		"keys no list":  {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"keys": map[string]any{}}) }, "keys"},
		"empty":         {func() string { return signed(t, root, "jwk-set+jwt", "", nil) }, "empty"},
		"no iat":        {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"iat": nil}) }, "iat"},
		"no exp":        {func() string { return signed(t, root, "jwk-set+jwt", text, map[string]any{"exp": nil}) }, "exp"},
		"valid for more than a day": {func() string {
			return signed(t, root, "jwk-set+jwt", text, map[string]any{"exp": time.Now().Add(24*time.Hour + time.Second).Unix()})
		}, "24h"},
		"expired": {func() string {
			return signed(t, root, "jwk-set+jwt", text, map[string]any{"iat": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(-30 * time.Second).Unix()})
		}, "exp has passed"},
		"from the future": {func() string {
			return signed(t, root, "jwk-set+jwt", text, map[string]any{"iat": time.Now().Add(time.Minute).Unix()})
		}, "ahead"},
		"changed": {func() string {
			header, rest, _ := strings.Cut(signed(t, root, "jwk-set+jwt", text, nil), ".")
			return header + "." + strings.Replace(rest, "0", "1", 1)
		}, "jose"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startSigned(t, &endpoint{answer: ok(test.set())}, root.Public().Thumbprint())
				synctest.Wait()
				if test.says == "" {
					holds(t, s, name, k)
					return
				}
				if state := s.State(); len(state.Keys) > 0 || state.Err == nil || !strings.Contains(state.Err.Error(), test.says) {
					t.Errorf("keys %v, error %v, want %q", state.Keys, state.Err, test.says)
				}
			})
		})
	}
}

func TestSignedSetEndsAndIsNotRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, _ := key(t)
		old, oldText := key(t)
		k, text := key(t)
		earlier := signed(t, root, "jwk-set+jwt", oldText, nil)
		time.Sleep(time.Second)
		e := &endpoint{answer: ok(signed(t, root, "jwk-set+jwt", text, nil), "ETag", "v2")}
		s := startSigned(t, e, root.Public().Thumbprint())
		ready(t, s)
		holds(t, s, "at first", k)
		e.serve(earlier)
		time.Sleep(time.Hour)
		holds(t, s, "rolled back", k)
		if err := s.State().Err; err == nil || !strings.Contains(err.Error(), "older") {
			t.Errorf("rolled back: %v", err)
		}
		e.set(func(*http.Request) (*http.Response, error) { return response(304, strings.NewReader("")), nil })
		time.Sleep(11 * time.Hour)
		holds(t, s, "half a minute before its end", k)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		holds(t, s, "at its end")
		if !s.State().Stale {
			t.Error("the set lives longer than its token, confirmed or not")
		}
		e.serve(signed(t, root, "jwk-set+jwt", oldText, nil))
		time.Sleep(time.Minute)
		holds(t, s, "signed anew", old)
	})
}

// provider is an OpenID provider whose documents are given by their URL.
func provider(documents map[string]string) *endpoint {
	return &endpoint{answer: func(r *http.Request) (*http.Response, error) {
		text, found := documents[r.URL.String()]
		if !found {
			return response(404, strings.NewReader("")), nil
		}
		return response(200, strings.NewReader(text)), nil
	}}
}

const (
	issuer    = "https://id.shop.example"
	discovery = issuer + "/.well-known/openid-configuration"
)

// The discovery document says where the keys lie, if it is the one of the issuer.
func TestDiscovery(t *testing.T) {
	k, text := key(t)
	for name, test := range map[string]struct {
		document string
		says     string
	}{
		"good":                       {`{"issuer":"` + issuer + `","jwks_uri":"https://keys.example/1","x":{"a":[1]}}`, ""},
		"another issuer 35":          {`{"issuer":"https://evil.example","jwks_uri":"https://keys.example/1"}`, "another issuer"},
		"slash behind the issuer 35": {`{"issuer":"` + issuer + `/","jwks_uri":"https://keys.example/1"}`, "another issuer"},
		"issuer in upper case 35":    {`{"issuer":"HTTPS://id.shop.example","jwks_uri":"https://keys.example/1"}`, "another issuer"},
		"issuer missing":             {`{"jwks_uri":"https://keys.example/1"}`, "another issuer"},
		"issuer twice":               {`{"issuer":"` + issuer + `","Issuer":"x","jwks_uri":"https://keys.example/1"}`, "duplicate"},
		"keys over http 54":          {`{"issuer":"` + issuer + `","jwks_uri":"http://keys.example/1"}`, "use https"},
		"keys at loopback 54":        {`{"issuer":"` + issuer + `","jwks_uri":"http://127.0.0.1/1"}`, "allowed explicitly"},
		"keys in a file 54":          {`{"issuer":"` + issuer + `","jwks_uri":"file:///etc/passwd"}`, "URL"},
		"keys with a password":       {`{"issuer":"` + issuer + `","jwks_uri":"https://a:b@keys.example/1"}`, "password"},
		"keys missing":               {`{"issuer":"` + issuer + `"}`, "jwks_uri"},
		"HTML":                       {`<html>`, "no object"},
		"huge":                       {`{"issuer":"` + strings.Repeat("a", 70<<10) + `"}`, "longer than 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := provider(map[string]string{discovery: test.document, "https://keys.example/1": jwks(text)})
				s := keyset.Provider(issuer, keyset.WithRoundTripper(e))
				err := s.Load(t.Context())
				if test.says != "" {
					if err == nil || !strings.Contains(err.Error(), test.says) {
						t.Errorf("got %v, want %q", err, test.says)
					}
					return
				}
				holds(t, s, name, k)
				for range 20 {
					time.Sleep(5 * time.Minute)
					if err := s.Load(t.Context()); err != nil {
						t.Error(err)
					}
				}
				asked := 0
				for _, url := range e.requests {
					if url == discovery {
						asked++
					}
				}
				if asked != 2 {
					t.Errorf("the discovery document was fetched %d times in 100 minutes", asked)
				}
			})
		})
	}
}

// A provider may move its keys, and may lose its discovery document for a while.
func TestDiscoveryMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		moved, movedText := key(t)
		documents := map[string]string{
			discovery:                `{"issuer":"` + issuer + `","jwks_uri":"https://keys.example/1"}`,
			"https://keys.example/1": jwks(text),
		}
		s := keyset.Provider(issuer, keyset.WithRoundTripper(provider(documents)))
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		delete(documents, discovery)
		time.Sleep(2 * time.Hour)
		if err := s.Load(t.Context()); err != nil {
			t.Errorf("without its discovery document: %v", err)
		}
		holds(t, s, "without its discovery document", k)
		documents[discovery] = `{"issuer":"` + issuer + `","jwks_uri":"https://keys.example/2"}`
		documents["https://keys.example/2"] = jwks(movedText)
		delete(documents, "https://keys.example/1")
		_ = s.Load(t.Context())
		if err := s.Load(t.Context()); err != nil {
			t.Errorf("moved: %v", err)
		}
		holds(t, s, "moved", moved)
	})
}

// A file is read again every 5 seconds, through links that are exchanged, and is believed only if nobody else can write
// it.
func TestFileSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		next, nextText := key(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "jwks.json")
		put := func(name, text string) {
			t.Helper()
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(name, path+".new"); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		put("1", jwks(text))
		s := keyset.File(path)
		keyset.SetRandom(s, half)
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Start()
		defer s.Close()
		holds(t, s, "at first", k)
		put("2", jwks(nextText))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		holds(t, s, "exchanged", next)
		for name, text := range map[string]string{"3": "junk", "4": jwks(), "5": strings.Repeat(" ", 600<<10)} {
			put(name, text)
			time.Sleep(time.Minute)
			holds(t, s, "broken", next)
			if s.State().Err == nil {
				t.Errorf("file %s is no error", name)
			}
		}
		if err := os.Chmod(filepath.Join(dir, "2"), 0o666); err != nil {
			t.Fatal(err)
		}
		put("6", jwks(text))
		if err := os.Chmod(filepath.Join(dir, "6"), 0o666); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		holds(t, s, "writable for all", next)
		if err := s.State().Err; err == nil || !strings.Contains(err.Error(), "chmod go-w") {
			t.Error(err)
		}
	})
}

// Whatever comes as a key set, it is read without a panic, and what is in force is exactly what is not skipped.
func FuzzKeySet(f *testing.F) {
	_, text := key(f)
	for _, seed := range []string{
		"", "{}", jwks(), jwks(text), jwks(text, text), jwks(`{"kty":"oct","k":"AA","kid":"a"}`, text), `{"keys":[null,1,"a",[],{}]}`,
		`{"keys":[` + text + `],"KEYS":[]}`, jwks(`{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"a"}`), jwks(`{"kty":"EC","crv":"P-256","x":"` + p256x + `","y":"` + p256y + `","kid":"b"}`),
		jwks(`{"kty":"EC","crv":"P-256","x":"` + p256x + `","y":"` + p256x + `","kid":"b"}`), `{"keys":[{"a":{"a":1,"a":2}}]}`,
		jwks(`{"kty":"RSA","alg":"RS256","kid":"c","n":"`+modulus(2048)+`","e":"AQAB"}`, `{"kty":"EC","crv":"P-384","x":"`+p384x+`","y":"`+p384y+`","kid":"d"}`), strings.Repeat(`{"keys":[`, 20),
	} {
		f.Add([]byte(seed))
	}
	for _, file := range []string{"keycloak", "entra", "okta", "cognito", "kubernetes"} {
		text, err := os.ReadFile(filepath.Join("testdata", file+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := keyset.Static(text)
		err := s.Load(t.Context())
		state := s.State()
		if (err == nil) != (len(state.Keys) > 0) {
			t.Fatalf("error %v and keys %q", err, state.Keys)
		}
		inForce := 0
		for _, kid := range slices.Compact(state.Keys) {
			for _, alg := range jose.Algorithms() {
				keys, err := s.Lookup(kid, alg)
				if err != nil || len(keys) == 0 || len(keys) > 4 {
					t.Fatalf("key %q: %v, %v", kid, keys, err)
				}
				for _, k := range keys {
					if k.KeyID() != kid || !s.Holds(k) {
						t.Errorf("%q finds %v", kid, k)
					}
					if k.Algorithm() == alg {
						inForce++
					}
				}
			}
		}
		if want := len(s.State().Keys); inForce != want {
			t.Errorf("%d keys are found of %d", inForce, want)
		}
		if err == nil {
			judgedAlone(t, s, text)
		}
	})
}

// judgedAlone checks that each key which is good by itself is in force, whatever stands beside it, up to the bounds.
func judgedAlone(t *testing.T, s *keyset.Set, text []byte) {
	t.Helper()
	var loose struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), &loose); err != nil {
		t.Fatalf("a set is read that encoding/json does not read: %v", err)
	}
	state := s.State()
	if len(state.Keys) > 100 || len(state.Skipped) > 101 || len(state.Keys)+len(state.Skipped) > len(loose.Keys) {
		t.Errorf("%d keys and %d skipped of %d", len(state.Keys), len(state.Skipped), len(loose.Keys))
	}
	if len(loose.Keys) > 4 {
		return
	}
	for _, one := range loose.Keys {
		k, err := jose.ParseSetKey(one, jose.SetProfile{})
		if err != nil || k.Nameless() {
			continue
		}
		found, err := s.Lookup(k.KeyID(), k.Algorithm())
		if err != nil || !slices.ContainsFunc(found, k.Equal) {
			t.Errorf("key %q is good and not in force: %v", k.KeyID(), err)
		}
	}
}
