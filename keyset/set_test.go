package keyset_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
)

func TestSetPrintsItself(t *testing.T) {
	const root = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for want, k := range map[string]*keyset.Set{
		`keyset.Static()`:                      keyset.Static([]byte(`{"keys":[]}`), keyset.Option(nil)),
		`keyset.File("/etc/jwks.json")`:        keyset.File("/etc/jwks.json"),
		`keyset.Provider("https://a.example")`: keyset.Provider("https://a.example"),
		`keyset.URL("https://a", keyset.WithPinnedRoot("` + root + `"), keyset.WithMaxStale(1h0m0s), keyset.WithAllowEmpty(), keyset.WithUses(sig, wit-svid), ` +
			`keyset.WithAlgorithms(EdDSA, RS256), keyset.WithLoopbackHTTP(), keyset.WithRoundTripper, keyset.WithLogger)`: keyset.URL("https://a", keyset.WithPinnedRoot(root), keyset.WithMaxStale(time.Hour),
			keyset.WithAllowEmpty(), keyset.WithUses("sig", "wit-svid"), keyset.WithAlgorithms("EdDSA", "RS256"), keyset.WithLoopbackHTTP(), keyset.WithRoundTripper(nil), keyset.WithLogger(nil)),
	} {
		if got := k.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What is wrong with a key set is said by Check, and credentials are refused for it.
func TestSetCheck(t *testing.T) {
	for name, test := range map[string]struct {
		set  *keyset.Set
		says []string
	}{
		"nothing":      {nil, []string{"no key set"}},
		"static junk":  {keyset.Static([]byte("junk")), []string{"keyset: Static", "no JSON object"}},
		"static bad":   {keyset.Static([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AA"}]}`)), []string{"no key of the set is usable"}},
		"no file":      {keyset.File(""), []string{"no file is named"}},
		"missing file": {keyset.File(filepath.Join(t.TempDir(), "jwks.json")), []string{"jwks.json", "does not exist"}},
		"plain http":   {keyset.URL("http://id.shop.example/jwks"), []string{"use https"}},
		"loopback":     {keyset.URL("http://127.0.0.1/jwks"), []string{"allowed explicitly"}},
		"provider":     {keyset.Provider("id.shop.example"), []string{"names no host"}},
		"everything else": {
			keyset.URL("", keyset.WithPinnedRoot("x"), keyset.WithMaxStale(25*time.Hour)),
			[]string{"names no host", "thumbprint", "WithMaxStale: 25h0m0s must be"},
		},
		"no algorithm":    {keyset.Static([]byte(`{"keys":[]}`), keyset.WithAlgorithms()), []string{"WithAlgorithms: no algorithm"}},
		"HS256":           {keyset.Static([]byte(`{"keys":[]}`), keyset.WithAlgorithms("RS256", "HS256", "none")), []string{`WithAlgorithms: "HS256" is none of`, `"none" is none of [EdDSA ES256 ES384 RS256 PS256]`}},
		"RSA without alg": {keyset.Static([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`)), []string{"no key of the set is usable"}},
		"empty pin":       {keyset.URL("https://a.example", keyset.WithPinnedRoot("")), []string{"thumbprint"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.set.Check()
			for _, want := range test.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Check does not say %q: %v", want, err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := test.set.Ready(ctx); err == nil {
				t.Error("it is ready")
			}
			if test.set != nil {
				test.set.Invalidate("a")
				if state := test.set.State(); state.Err == nil || len(state.Keys) > 0 {
					t.Errorf("state %+v", state)
				}
				if err := errors.Join(test.set.Close(), test.set.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What an operator sees of a key set.
func TestSetState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, text := key(t)
		s := start(t, &endpoint{answer: ok(jwks(text))}, setup{})
		ready(t, s)
		began := time.Now()
		time.Sleep(time.Minute)
		state := s.State()
		if state.Source != address || state.Generation != 1 || len(state.Keys) != 1 || state.Keys[0] != kidOf(k) ||
			!state.Read.Equal(
				began,
			) || !state.Ends.Equal(began.Add(24*time.Hour)) || state.Stale || state.Err != nil || state.Fetches != 1 || state.Failures != 0 {
			t.Errorf("state %+v", state)
		}
	})
}

// A secret among the published keys is an alarm in the log, which shows none of it.
func TestPublishedSecretIsAnAlarm56(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secretKey, _ := key(t)
		private, err := secretKey.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		_, good := key(t)
		var log bytes.Buffer
		k := keyset.Static([]byte(jwks(good, string(private))), keyset.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		if err := k.Check(); err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		state := k.State()
		if len(state.Skipped) != 1 || !state.Skipped[0].Alarm || !errors.Is(state.Skipped[0].Err, jose.ReasonSecret) {
			t.Errorf("skipped %+v", state.Skipped)
		}
		_, secret, _ := strings.Cut(string(private), `"d":"`)
		if text := log.String(); !strings.Contains(text, "level=ERROR") || strings.Contains(text, secret[:43]) {
			t.Errorf("log %s", text)
		}
	})
}
