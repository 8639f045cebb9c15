package framework_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// goNames are options, fields and packages of Go, which mean nothing to the one who writes a configuration file.
var goNames = regexp.MustCompile(`\bWith[A-Z]|\b(auth|keyset|tokens|profile|framework)\.?: |keyset\.|` +
	`\b(Principals|Profile|Subjects|Audiences|Types|RequiredValues|RequiredClaims|RefusedClaims)\b|` +
	`\b(MaxL|MaxM|MaxA|ClockSkew|IDs|Same)\b`)

// Each mistake of a configuration file is named once, with its place and the keys of the file, also where two servers
// share what is wrong.
func TestMistakesInAFileNameItsKeys(t *testing.T) {
	t.Parallel()
	const workload = "servers.payments.issuers[0]"
	issuer := func(rest string) string { return "{issuer: 'https://a.example', keys: {file: KEYS}, " + rest + "}" }
	users := func(rest string) string { return "users: {issuers: [" + issuer(rest) + "]}\n" }
	workloads := func(rest string) string {
		return "servers: {payments: {carriers: [token], tls: TLS, issuers: [" + issuer(rest) + "]}}\n"
	}
	for name, test := range map[string]struct {
		config string
		want   []string // the beginnings of all lines
	}{
		"an unknown product": {users("provider: dexx"), []string{`users.issuers[0]: provider "dexx" is not known`}},
		"length": {
			users("max_length: 99999"), []string{"users.issuers[0]: max_length is 99999; it must be at most 24576"},
		},
		"members": {
			users("max_members: 999"), []string{"users.issuers[0]: max_members is 999; it must be at most 256"},
		},
		"skew": {users("clock_skew: 1h"), []string{"users.issuers[0]: clock_skew is more than 5 minutes"}},
		"three at once": {users("max_length: 99999, types: [dpop+jwt], audiences: ['a*']"), []string{
			"users.issuers[0]: types names a type of proof", "users.issuers[0]: max_length is 99999",
			`users.issuers[0]: audiences: "a*" has a star`,
		}},
		"a pattern of values": {users("required_values: {hd: '*'}"), []string{
			`users.issuers[0]: required_values: the value of "hd" "*" has a star`,
		}},
		"an empty claim": {
			users("required_claims: [\"\"]"), []string{"users.issuers[0]: required_claims holds an empty name"},
		},
		"stale keys": {
			strings.Replace(users(""), "KEYS", "KEYS, max_stale: 99h", 1),
			[]string{"users.issuers[0].keys: max_stale: 99h0m0s must be between"},
		},
		"keys of no such algorithm": {
			strings.Replace(users(""), "KEYS", "KEYS, algorithms: [HS256]", 1), []string{
				`users.issuers[0].keys: algorithms: "HS256" is none of`,
				`users.issuers[0]: keys.algorithms: "HS256" is not supported`,
			},
		},
		"a proxy of a file": {
			strings.Replace(users(""), "KEYS", "KEYS, proxy: 'http://p:1'", 1),
			[]string{"users.issuers[0].keys: proxy: nothing is fetched here; remove it"},
		},
		"twice": {
			"users: {issuers: [" + issuer("") + ", " + issuer("") + "]}\n",
			[]string{"users.issuers[1] (https://a.example) is there twice, as users.issuers[0] (https://a.example); keep one"},
		},
		"nobody": {workloads(""), []string{workload + ": it has no subjects and no principals"}},
		"a map of nobody": {
			workloads("principals: {same: [sub, azp]}"),
			[]string{workload + ".principals: it names nobody; state a template, or a claim and its ids"},
		},
		"a bad template": {
			workloads("principals: {template: 'spiffe://{tid}/a'}"),
			[]string{workload + `.principals: template "spiffe://{tid}/a": its trust domain is a claim`},
		},
		"a map with two mistakes": {workloads("principals: {claim: azp, ids: {'a*': batch}, same: [sub]}"), []string{
			workload + `.principals: ids: "a*" has a star`, workload + ".principals: same has one claim",
		}},
		"two mistakes in ids": {
			workloads("principals: {claim: azp, ids: {a: 'x y', b: 'spiffe://shop.example/*'}, same: [sub, azp]}"),
			[]string{workload + `.principals.ids: "a": `, workload + `.principals.ids: "b": `},
		},
		"the client of users": {
			workloads("principals: {claim: azp, ids: {a: batch}}"),
			[]string{workload + `: it maps "azp", which the token of a user has, too`},
		},
		"users beside workloads": {
			users("") + workloads("principals: {claim: job, ids: {a: batch}}"),
			[]string{workload + ": it vouches for users as well, and nothing tells their tokens (users.issuers[0]) " +
				"from those of workloads; list workloads by the claim that names users (principals.claim)"},
		},
		"subjects of strangers": {
			workloads("subjects: ['spiffe://partner.example/*']"),
			[]string{workload + ": it has the subject spiffe://partner.example/* of a trust domain that is not accepted"},
		},
		"subjects of the trust directory": {
			workloads("subjects: [payments]"),
			[]string{workload + ": it may name spiffe://shop.example/payments, which has a key in the trust directory; " +
				"name another, or say shared"},
		},
		"a user in authorization": {
			"servers: {payments: {carriers: [token], tls: TLS, user_authorization: true}}\n",
			[]string{"servers.payments: user_authorization: nobody vouches for users; name an issuer in users.issuers"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			cert, key := certificateFor(t)
			config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile) +
				strings.NewReplacer("KEYS", fmt.Sprintf("%q", keySet(t)), "TLS", fmt.Sprintf("{cert: %q, key: %q}", cert, key)).
					Replace(test.config)
			app := newPayments(t, framework.WithConfigFile(writeFile(t, config)))
			second := app.Server("127.0.0.1:0", framework.WithServiceName("second"))
			paymentsv1.RegisterPaymentsServiceServer(second, &bank{})
			err := app.Check()
			if err == nil {
				t.Fatal("Check finds nothing")
			}
			lines := strings.Split(err.Error(), "\n")
			for n, line := range lines {
				if n >= len(test.want) || !strings.HasPrefix(line, test.want[n]) {
					t.Errorf("line %d: %s", n+1, line)
				}
				if found := goNames.FindString(line); found != "" {
					t.Errorf("%q is no name of a file: %s", found, line)
				}
			}
			if len(lines) != len(test.want) {
				t.Errorf("%d lines, want %d", len(lines), len(test.want))
			}
		})
	}
}

// An issuer is checked by itself where no server would: a program that only checks a file has none.
func TestIssuersAreCheckedWithoutAServer(t *testing.T) {
	t.Parallel()
	dir, keyFile := state(t)
	config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile) +
		fmt.Sprintf("users: {issuers: [{issuer: 'https://login.microsoftonline.com/{tid}/v2.0', provider: entra, "+
			"keys: {file: %q, max_stale: 99h}, max_length: 99999}]}\n", keySet(t))
	app := framework.New("payments", framework.WithEnviron(nil), framework.WithConfigFile(writeFile(t, config)))
	t.Cleanup(func() { _ = app.Close() })
	err := app.Check()
	if err == nil {
		t.Fatal("Check finds nothing")
	}
	lines := strings.Split(err.Error(), "\n")
	for n, want := range []string{
		"users.issuers[0].keys: max_stale: 99h0m0s must be between",
		"users.issuers[0]: max_length is 99999",
		"users.issuers[0]: its issuer is for every tenant of Entra ID",
	} {
		if n >= len(lines) || !strings.HasPrefix(lines[n], want) {
			t.Errorf("line %d of %q, want %q", n+1, lines, want)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines, want 3: %v", len(lines), err)
	}
}
