package auth_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Each trust domain has exactly one issuer, and what is missing is said all at once.
func TestIssuedCheckNamesEveryMistake(t *testing.T) {
	shop, other := domainOf(t, "shop.example"), domainOf(t, "other.example")
	orders, err := shop.ID("orders")
	if err != nil {
		t.Fatal(err)
	}
	keys := keyset.Static([]byte(jwksOf(t, newKey(t, jose.EdDSA))))
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
	const want = `auth.Issued(spiffe://shop.example/orders, tokens.File("/run/wit"), [https://id.shop.example for [shop.example]], auth.WithKeyFile("/run/key"))`
	j := auth.Issued(orders, tokens.File("/run/wit"), []auth.IdentityIssuer{{Name: issuerName, Keys: keys, Domains: []principal.TrustDomain{shop}}}, auth.WithKeyFile("/run/key"))
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
			i := auth.Issued(parsed, tokens.File(files.token), issuers, auth.WithKeyFile(files.key))
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
