package framework_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/framework"
)

// The configuration says which workloads the tokens of a foreign issuer stand for.
func TestPrincipalsInTheConfiguration(t *testing.T) {
	t.Parallel()
	const (
		good    = "template: \"spiffe://shop.example/ns/{kubernetes.io>namespace}\""
		issuers = "    - {issuer: https://kubernetes.default.svc, provider: kubernetes, keys: {file: %[3]q}, " +
			"principals: {%[4]s}}\n"
		place    = "servers.payments.issuers[0].principals"
		apart    = "spiffe://shop.example/vm/{vm}"
		overlaps = "spiffe://shop.example/{kind}/pay"
	)
	second := func(template string) string {
		return fmt.Sprintf("    - {issuer: https://id.example, keys: {file: %%[3]q}, principals: {template: %q}}\n", template)
	}
	for name, test := range map[string]struct {
		principals, further string
		want                string
	}{
		"a template": {good, "", ""},
		"a table": {
			"claim: azp, ids: {0oa1: batch, 0oa2: spiffe://partner.example/till}, same: [sub, azp]",
			"",
			"",
		},
		"two issuers":    {good, second(apart), ""},
		"two for one ID": {good, second(overlaps), "both can name one workload"},
		"nothing":        {"same: [sub, azp]", "", place + ": it names nobody; state a template, or a claim and its ids"},
		"no claim": {
			"template: spiffe://shop.example/orders",
			"",
			place + `: template "spiffe://shop.example/orders": it has no claim in braces`,
		},
		"two ways": {good + ", claim: azp, ids: {a: batch}", "", "keep one"},
		"a pattern of IDs": {
			"claim: azp, ids: {a: \"spiffe://shop.example/*\"}",
			"",
			place + `.ids: "a": spiffe://shop.example/* is a pattern; name one workload`,
		},
		"a pattern of values":   {"claim: azp, ids: {\"0oa*\": batch}", "", `"0oa*" has a star`},
		"no ID":                 {"claim: azp, ids: {a: \"spiffe://shop.example\"}", "", place + `.ids: "a": principal:`},
		"an unknown key":        {good + ", tables: {}", "", `unknown key "tables"`},
		"the trust directory's": {"claim: azp, ids: {a: payments}", "", "has a key in the trust directory"},
		"the same, shared":      {"claim: job, ids: {a: payments}}, shared: true, required_values: {a: b", "", ""},
		"the client of users": {
			"claim: azp, ids: {0oa1: batch}",
			"",
			`servers.payments.issuers[0]: it maps "azp", which the token of a user has, too`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			cert, key := certificateFor(t)
			config := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %[1]q, key_file: %[2]q}\n"+
				"servers:\n  payments:\n    carriers: [token]\n    tls: {cert: %[5]q, key: %[6]q}\n    issuers:\n"+
				issuers+test.further, dir, keyFile, keySet(t), test.principals, cert, key)
			err := newPayments(t, framework.WithConfigFile(writeFile(t, config))).Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Check = %v, want %q", err, test.want)
			}
		})
	}
}
