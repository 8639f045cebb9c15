package framework_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/framework"
)

func TestCheckOfIssuedIdentities(t *testing.T) {
	t.Parallel()
	const (
		shop    = "{issuer: https://id.shop.example, trust_domains: [shop.example], keys: {file: KEYS}}"
		partner = "{issuer: https://id.partner.example, trust_domains: [partner.example], keys: {url: " +
			"https://id.partner.example/keys, max_stale: 1h}}"
		good = "key_file: KEY, issued: {token_file: TOKEN, issuers: [" + shop + "]}"
	)
	for name, test := range map[string]struct {
		identity string
		want     string
	}{
		"good":            {good, ""},
		"a second issuer": {"key_file: KEY, issued: {token_file: TOKEN, issuers: [" + shop + ", " + partner + "]}", ""},
		"a trust directory": {
			good + ", trust_dir: /etc/trust", "identity.trust_dir and identity.issued contradict each other; keep one of them",
		},
		"enrolment": {good + ", enroll: self", "identity.enroll: self is for a trust directory"},
		"accepted domains": {
			good + ", accept_domains: [partner.example]",
			"identity.accept_domains: the trust_domains of identity.issued.issuers are accepted already",
		},
		"no key": {
			"issued: {token_file: TOKEN, issuers: [" + shop + "]}", "identity.key_file: set it to the file with the private key",
		},
		"no token": {
			"key_file: KEY, issued: {issuers: [" + shop + "]}",
			"identity.issued.token_file: set it to the file with the identity token",
		},
		"no token file": {
			"key_file: KEY, issued: {token_file: /not/there, issuers: [" + shop + "]}", "file /not/there: no such file",
		},
		"another's token": {
			"key_file: KEY, issued: {token_file: OTHER, issuers: [" + shop + "]}",
			"identity: auth: the identity token is that of spiffe://shop.example/orders and not of " +
				"spiffe://shop.example/payments",
		},
		"no issuer": {"key_file: KEY, issued: {token_file: TOKEN}", "identity.issued.issuers: add the issuer"},
		"none for the own": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [" + partner + "]}",
			"no issuer vouches for the own trust domain shop.example",
		},
		"two for one": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [" + shop + ", " + shop + "]}",
			"each trust domain has exactly one issuer",
		},
		"no name": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{trust_domains: [shop.example], keys: {file: KEYS}}]}",
			"identity.issued.issuers[0].issuer: set it to the iss of its tokens",
		},
		"no domain": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, keys: {file: KEYS}}]}",
			"identity.issued.issuers[0].trust_domains: set it to the trust domains",
		},
		"a bad domain": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [Shop], keys: {file: KEYS}}]}",
			"identity.issued.issuers[0].trust_domains:",
		},
		"no provider": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example]}]}",
			"identity.issued.issuers[0].keys: URL a: it names no host",
		},
		"file and URL": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example], keys: {file: " +
				"KEYS, url: https://a}}]}",
			"identity.issued.issuers[0]: the file and the URL of its keys contradict each other; keep one of them",
		},
		"plain HTTP": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example], keys: {url: " +
				"http://id.shop.example}}]}",
			"identity.issued.issuers[0].keys: URL http://id.shop.example: plain http is allowed",
		},
		"a bad pin": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example], keys: {file: " +
				"KEYS, pinned_root: \"\"}}]}",
			"identity.issued.issuers[0].keys: pinned_root: a pin is the SHA-256 thumbprint",
		},
		"shared secrets": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example], keys: {file: " +
				"KEYS, algorithms: [HS256]}}]}",
			`identity.issued.issuers[0].keys: algorithms: "HS256" is none of`,
		},
		"stale for days": {
			"key_file: KEY, issued: {token_file: TOKEN, issuers: [{issuer: a, trust_domains: [shop.example], keys: {file: " +
				"KEYS, max_stale: 48h}}]}",
			"identity.issued.issuers[0].keys: max_stale: 48h0m0s must be between",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.hire("payments", time.Hour)
			o.hire("orders", time.Hour)
			checks(
				t,
				newPayments(
					t,
					framework.WithConfigFile(writeFile(t, o.place("identity: {trust_domain: shop.example, "+test.identity+"}\n"))),
				),
				test.want,
			)
		})
	}
}

// place puts the files of the office into a configuration.
func (o *office) place(config string) string {
	quoted := func(name string) string { return fmt.Sprintf("%q", o.file(name)) }
	return strings.NewReplacer("KEYS", quoted("keys.json"), "KEY", quoted("payments.jwk"), "TOKEN", quoted("payments.jwt"),
		"OTHER", quoted("orders.jwt"), "BEARER", quoted("bearer.jwt")).Replace(config)
}

// checks reports whether Check finds what it should, and nothing where that is empty.
func checks(t *testing.T, app *framework.App, want string) {
	t.Helper()
	err := app.Check()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("Check = %v\nwhich is not %q", err, want)
	}
}

func TestCheckOfIssuersOfBearerTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server string
		want   string
	}{
		"good": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}, subjects: " +
				"[\"spiffe://shop.example/*\"], shared: true, clock_skew: 0s, max_audiences: 2}]",
			"",
		},
		"workloads of the own issuer": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}, subjects: [\"spiffe://shop.example/*\"]}]",
			"servers.payments.issuers[0]: it may name spiffe://shop.example/*, and the identity's issuer " +
				"\"https://id.shop.example\" vouches for that trust domain; name others, or say shared",
		},
		"no carrier": {
			"issuers: [{issuer: a, keys: {file: KEYS}, subjects: [\"spiffe://shop.example/*\"]}]",
			"servers.payments.issuers: bearer tokens are read only with the carrier token; " +
				"add token to servers.payments.carriers",
		},
		"no subjects": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}}]",
			"servers.payments.issuers[0]: it has no subjects and no principals; state which workloads",
		},
		"a bad subject": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}, subjects: ['web*']}]",
			"servers.payments.issuers[0].subjects:",
		},
		"no keys": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: /not/there}, subjects: " +
				"[\"spiffe://shop.example/*\"]}]",
			"servers.payments.issuers[0].keys: /not/there: /not: does not exist; put it there",
		},
		"too much skew": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}, subjects: " +
				"[\"spiffe://shop.example/*\"], clock_skew: 1h}]",
			"servers.payments.issuers[0]: clock_skew is more than 5 minutes",
		},
		"type of proofs": {
			"carriers: [token], tls: TLS, issuers: [{issuer: a, keys: {file: KEYS}, subjects: " +
				"[\"spiffe://shop.example/*\"], types: [dpop+jwt]}]",
			"servers.payments.issuers[0]: types names a type of proof",
		},
		"nobody's name": {
			"carriers: [token], tls: TLS, issuers: [{keys: {file: KEYS}, subjects: [\"spiffe://shop.example/*\"]}]",
			"servers.payments.issuers[0]: it has no issuer; state the iss",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.hire("payments", time.Hour)
			cert, key := certificateFor(t)
			config := strings.ReplaceAll(test.server, "TLS", fmt.Sprintf("{cert: %q, key: %q}", cert, key))
			checks(t, newPayments(t, o.config("payments", o.place("servers: {payments: {"+config+"}}\n"))), test.want)
		})
	}
}

func TestCheckOfTokenSources(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client string
		want   string
	}{
		"a file":    {"mode: token, token: {file: BEARER}", ""},
		"in prefer": {"mode: prefer, token: {file: BEARER}", ""},
		"an endpoint": {
			"mode: token, token: {endpoint: {issuer: a, url: https://a/token, scopes: [read]}}", "",
		},
		"connection mode": {
			"token: {file: BEARER}", "clients.payments.token: connection mode sends no token; set mode to prefer or token",
		},
		"none": {
			"mode: token", "clients.payments.token: an issuer vouches for this service, so servers do not know its key",
		},
		"empty": {"mode: token, token: {}", "clients.payments.token: it has neither file nor endpoint"},
		"both": {
			"mode: token, token: {file: BEARER, endpoint: {}}",
			"clients.payments.token: file and endpoint contradict each other",
		},
		"no such file": {"mode: token, token: {file: /not/there}", "file /not/there: no such file"},
		"for somebody else": {
			"mode: token, peers: [\"spiffe://shop.example/ledger\"], token: {file: BEARER}",
			"is not meant for spiffe://shop.example/ledger, and so is not shown to it",
		},
		"shown nevertheless": {
			"mode: token, peers: [\"spiffe://shop.example/ledger\"], token: {file: BEARER, any_audience: true}", "",
		},
		"a pattern": {
			"mode: token, peers: [\"spiffe://shop.example/*\"], token: {file: BEARER}", "exactly one expected server",
		},
		"any audience of an endpoint": {
			"mode: token, token: {any_audience: true, endpoint: {issuer: a, url: https://a/token}}",
			"clients.payments.token: any_audience applies only to a file",
		},
		"no issuer": {
			"mode: token, token: {endpoint: {url: https://a/token}}",
			"clients.payments.token: no issuer is named",
		},
		"plain HTTP": {
			"mode: token, token: {endpoint: {issuer: a, url: http://a/token}}",
			"clients.payments.token: token endpoint",
		},
		"a bad scope": {
			"mode: token, token: {endpoint: {issuer: a, url: https://a/token, scopes: [\"a b\"]}}",
			"clients.payments.token: scopes: scope",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.hire("orders", time.Hour)
			o.bearer(time.Hour)
			app := framework.New(
				"orders",
				framework.WithEnviron(nil),
				o.config("orders", o.place("clients: {payments: {target: \"localhost:1\", "+test.client+"}}\n")),
			)
			t.Cleanup(func() { _ = app.Close() })
			app.Client("payments")
			checks(t, app, test.want)
		})
	}
}

// Where nothing is proven, nobody vouches and no token is sent.
func TestInsecureDevContradictsIssuersAndTokens(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"identity: {issued: {token_file: a}}\n": "WithInsecureDev and the identity section of " +
			"the configuration contradict each other",
		"servers: {payments: {issuers: [{issuer: " +
			"https://a.example}]}}\n": "servers.payments.issuers: WithInsecureDev disables authentication",
		"clients: {ledger: {target: \"localhost:1\", token: {file: " +
			"a}}}\n": "clients.ledger: WithInsecureDev disables authentication",
	} {
		app := newPayments(t, framework.WithInsecureDev(), framework.WithConfigFile(writeFile(t, config)))
		app.Client("ledger", framework.WithTarget("localhost:1"))
		checks(t, app, want)
	}
}

// Issuers whose keys are stated alike share them. The log names each set that trusts a key.
func TestKeysThatAreStatedAlikeAreReadOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.hire("payments", time.Hour)
	var log bytes.Buffer
	app := newPayments(t, framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), o.config("payments", o.place(`
users: {issuers: [{issuer: a, keys: {file: KEYS}}, {issuer: b, keys: {file: KEYS, max_stale: 1h}}]}
`)))
	if err := errors.Join(app.Check(), app.Close()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "issuer's key trusted"); got != 2 {
		t.Errorf("%d sets of keys were read, want one for the identity and a, and another for b", got)
	}
}

// Check begins to watch what Run and the clients use, and Close ends all of it, also after a Check that found mistakes.
func TestCloseEndsWhatCheckBegan(t *testing.T) {
	for name, further := range map[string]string{
		"good": "discovery: {driver: \"static:\", services: {ledger: {addresses: [\"127.0.0.1:1\"]}}}\n",
		"bad":  "lifecycle: {grace: -1s}\n",
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			o := newOffice(t)
			o.hire("payments", time.Hour)
			o.bearer(time.Hour)
			cert, key := certificateFor(t)
			app := newPayments(t, o.config("payments", further+fmt.Sprintf(`
servers:
  payments: {carriers: [token], tls: {cert: %q, key: %q},
    issuers: [{issuer: a, keys: {file: %[3]q}, subjects: ["spiffe://shop.example/*"], shared: true}]}
users: {issuers: [{issuer: b, keys_file: %[3]q}], transactions: {issuer: c, keys: {file: %[3]q}}}
clients:
  ledger: {target: "localhost:1", mode: token, token: {file: %[4]q, any_audience: true}}
`, cert, key, o.file("keys.json"), o.file("bearer.jwt"))))
			app.Client("ledger")
			if err := app.Check(); (err != nil) != (name == "bad") {
				t.Errorf("Check = %v", err)
			}
			if err := app.Close(); err != nil {
				t.Error(err)
			}
			goleak.VerifyNone(t, before)
		})
	}
}
