package auth_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

func TestKeySetPrintsItself(t *testing.T) {
	const root = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for want, k := range map[string]*auth.KeySet{
		`auth.StaticKeys()`:                          auth.StaticKeys([]byte(`{"keys":[]}`), auth.KeySetOption(nil)),
		`auth.KeysFromFile("/etc/jwks.json")`:        auth.KeysFromFile("/etc/jwks.json"),
		`auth.KeysFromProvider("https://a.example")`: auth.KeysFromProvider("https://a.example"),
		`auth.KeysFromURL("https://a", auth.WithPinnedRoot("` + root + `"), auth.WithMaxStale(1h0m0s), auth.WithEmptyKeySet(), auth.WithKeyUses(sig, wit-svid), ` +
			`auth.WithAlgorithms(EdDSA, RS256), auth.WithLoopbackHTTP(), auth.WithRoundTripper, auth.WithLogger)`: auth.KeysFromURL("https://a", auth.WithPinnedRoot(root), auth.WithMaxStale(time.Hour),
			auth.WithEmptyKeySet(), auth.WithKeyUses("sig", "wit-svid"), auth.WithAlgorithms("EdDSA", "RS256"), auth.WithLoopbackHTTP(), auth.WithRoundTripper(nil), auth.WithLogger(nil)),
	} {
		if got := k.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What is wrong with a key set is said by Check, and credentials are refused for it.
func TestKeySetCheck(t *testing.T) {
	for name, test := range map[string]struct {
		set  *auth.KeySet
		says []string
	}{
		"nothing":         {nil, []string{"no key set"}},
		"static junk":     {auth.StaticKeys([]byte("junk")), []string{"auth: StaticKeys", "no JSON object"}},
		"static bad":      {auth.StaticKeys([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AA"}]}`)), []string{"no key of the set is usable"}},
		"no file":         {auth.KeysFromFile(""), []string{"no file is named"}},
		"missing file":    {auth.KeysFromFile(filepath.Join(t.TempDir(), "jwks.json")), []string{"jwks.json", "does not exist"}},
		"plain http":      {auth.KeysFromURL("http://id.shop.example/jwks"), []string{"use https"}},
		"loopback":        {auth.KeysFromURL("http://127.0.0.1/jwks"), []string{"allowed explicitly"}},
		"provider":        {auth.KeysFromProvider("id.shop.example"), []string{"names no host"}},
		"everything else": {auth.KeysFromURL("", auth.WithPinnedRoot("x"), auth.WithMaxStale(25*time.Hour)), []string{"names no host", "thumbprint", "WithMaxStale(25h0m0s)"}},
		"no algorithm":    {auth.StaticKeys([]byte(`{"keys":[]}`), auth.WithAlgorithms()), []string{"WithAlgorithms: no algorithm"}},
		"HS256":           {auth.StaticKeys([]byte(`{"keys":[]}`), auth.WithAlgorithms("RS256", "HS256", "none")), []string{`WithAlgorithms: "HS256" is none of`, `"none" is none of [EdDSA ES256 ES384 RS256 PS256]`}},
		"RSA without alg": {auth.StaticKeys([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`)), []string{"no key of the set is usable"}},
		"empty pin":       {auth.KeysFromURL("https://a.example", auth.WithPinnedRoot("")), []string{"thumbprint"}},
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
func TestKeySetState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		k := l.keys()
		if err := k.Check(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := k.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(time.Minute)
		state := k.State()
		if state.Source != issuerKeys || state.Generation != 1 || len(state.Keys) != 1 || state.Keys[0] != l.key.Public().KeyID() ||
			!state.Read.Equal(began) || !state.Ends.Equal(began.Add(24*time.Hour)) || state.Stale || state.Err != nil || state.Fetches != 1 || state.Failures != 0 {
			t.Errorf("state %+v", state)
		}
	})
}

// A secret among the published keys is an alarm in the log, which shows none of it.
func TestPublishedSecretIsAnAlarm56(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		private, err := newKey(t, jose.EdDSA).MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		log := &lockedBuffer{}
		set := strings.Replace(jwksOf(t, newKey(t, jose.EdDSA)), "]", ","+string(private)+"]", 1)
		k := auth.StaticKeys([]byte(set), auth.WithLogger(logTo(log)))
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

// Each trust domain has exactly one issuer, and what is missing is said all at once.
func TestIssuedCheckNamesEveryMistake(t *testing.T) {
	shop, other := domainOf(t, "shop.example"), domainOf(t, "other.example")
	orders, err := shop.ID("orders")
	if err != nil {
		t.Fatal(err)
	}
	keys := auth.StaticKeys([]byte(jwksOf(t, newKey(t, jose.EdDSA))))
	defer keys.Close()
	i := auth.Issued(principal.ID{}, nil, []auth.IdentityIssuer{
		{Name: "a", Keys: keys, Domains: []principal.TrustDomain{other}}, {Name: "b", Domains: []principal.TrustDomain{other}}, {},
	}, auth.WithEnroll(), auth.WithMaxConnectionAge(time.Hour))
	defer i.Close()
	for _, want := range []string{
		"no ID", "no source", "WithKeyFile or WithSigner", "WithEnroll", `issuer "b" has no Keys`, "issuer 3 has no Name", "vouches for no trust domain",
		`both "a" and "b" vouch for other.example`, "no issuer vouches for the own trust domain", "WithMaxConnectionAge",
	} {
		if err := i.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
	const want = `auth.Issued(spiffe://shop.example/orders, auth.TokensFromFile("/run/wit"), [https://id.shop.example for [shop.example]], auth.WithKeyFile("/run/key"))`
	j := auth.Issued(orders, auth.TokensFromFile("/run/wit"), []auth.IdentityIssuer{{Name: issuerName, Keys: keys, Domains: []principal.TrustDomain{shop}}}, auth.WithKeyFile("/run/key"))
	defer j.Close()
	if got := j.String(); got != want {
		t.Errorf("got %s", got)
	}
	for _, want := range []string{"identity token", "/run/key"} {
		if err := j.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
}

// The own identity token must be the workload's and for its key.
func TestOwnIdentityTokenIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		keys := l.keys()
		key := newKey(t, jose.EdDSA)
		for token, want := range map[string]string{
			l.witness("spiffe://shop.example/ledger", key, time.Hour):                                                "is that of spiffe://shop.example/ledger",
			l.witness("spiffe://shop.example/orders", newKey(t, jose.EdDSA), time.Hour):                              "another key",
			l.witness("spiffe://shop.example/orders", key, 2*time.Hour):                                              "lifetime",
			sign(t, l.key, "JWT", claims{"sub": "spiffe://shop.example/orders", "exp": in(time.Hour), "iat": in(0)}): "typ",
		} {
			files := l.hire("orders", key, time.Hour)
			write(t, files.token, token)
			if err := l.identity("orders", files, keys).Check(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Check does not say %q: %v", want, err)
			}
		}
	})
}

// A workload of a domain for which another issuer vouches is accepted by that issuer's keys alone.
func TestFederatedIssuers9(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := newLogin(t), newLogin(t)
		shop, bank := domainOf(t, "shop.example"), domainOf(t, "bank.example")
		issuers := []auth.IdentityIssuer{
			{Name: issuerName, Keys: here.keys(), Domains: []principal.TrustDomain{shop}},
			{Name: issuerName, Keys: there.keys(), Domains: []principal.TrustDomain{bank}},
		}
		payKey, ledgerKey := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
		identity := func(id string, files workload) *auth.Identity {
			parsed, err := principal.ParseID(id)
			if err != nil {
				t.Fatal(err)
			}
			i := auth.Issued(parsed, auth.TokensFromFile(files.token), issuers, auth.WithKeyFile(files.key))
			t.Cleanup(func() { _ = i.Close() })
			return i
		}
		payment := identity("spiffe://shop.example/payments", here.hire("payments", payKey, time.Hour))
		ready(t, payment)
		s := serve(t, payments{}, payment.ServerOptions(nil)...)
		files := there.hire("ledger", ledgerKey, time.Hour)
		for name, test := range map[string]struct {
			by      *login
			refused bool
		}{"by its own issuer": {there, false}, "by the other issuer": {here, true}} {
			write(t, files.token, test.by.witness("spiffe://bank.example/orders", ledgerKey, time.Hour))
			ledger := identity("spiffe://bank.example/orders", files)
			err := quote(t.Context(), dial(t, s.dialer, ledger.DialOptions(payment.ID())...))
			if proven := !strings.Contains(errorText(err), "CREDENTIALS_INVALID") && !strings.Contains(errorText(err), "does not hold"); proven == test.refused {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
