package main

import (
	"strings"
	"testing"
)

func TestExport(t *testing.T) {
	const istio = "export --contract api.binpb --serves shop.payments.v1.PaymentsService --trust-domain shop.example " +
		"--namespace shop --host payments.shop.svc.cluster.local --format istio"
	const pay = "policies:\n  /shop.payments.v1.PaymentsService/Charge: {auth: {scopes: [pay]}}\n"
	scoped := map[string]string{"scoped.yaml": pay}
	budget := map[string]string{"budget.yaml": "clients: {payments: {retry_budget: {max: 4, ratio: 0.2}}}\n"}
	for name, test := range map[string]struct {
		files     map[string]string
		args      string
		status    int
		out, errs []string
	}{
		"a service config": {
			args: "export --format service-config --contract api.binpb",
			out: []string{
				`"service": "shop.payments.v1.PaymentsService"`, `"timeout": "2s"`, `"maxAttempts": 4`,
				`"initialBackoff": "0.05s"`, `"maxTokens": 20`, `"UNAVAILABLE"`,
			},
			errs: []string{
				"not exported: /shop.payments.v1.PaymentsService/GetQuote: retry.per_attempt_timeout: it cannot be said",
			},
		},
		"with the budget of a client": {
			files: budget, args: "export --format service-config --contract api.binpb --config budget.yaml --client payments",
			out: []string{`"maxTokens": 8`, `"tokenRatio": 0.2`},
		},
		"objects of Istio": {
			args: istio + " --label app=payments",
			out: []string{
				"kind: AuthorizationPolicy", "kind: VirtualService", "app: payments", "- shop.example/orders",
				"- /shop.payments.v1.PaymentsService/Charge", "perTryTimeout: 500ms", "attempts: 3",
			},
		},
		"a demand of which Istio knows nothing": {
			files: scoped, args: istio + " --config scoped.yaml", status: 1,
			errs: []string{
				"/shop.payments.v1.PaymentsService/Charge: auth.scopes",
				"let in callers whom the policy keeps out (file scoped.yaml:2)",
			},
		},
		"no namespace": {
			args: "export --format istio --contract api.binpb", status: 2, errs: []string{"--namespace"},
		},
		"no such service": {
			args: "export --format istio --contract api.binpb --serves shop.S", status: 2,
			errs: []string{"no method of these services"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := invoked(t, test.files, strings.Fields(test.args)...)
			if status != test.status || status != 0 && out != "" {
				t.Errorf("status %d, want %d\n%s%s", status, test.status, out, errs)
			}
			for _, want := range test.out {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
			for _, want := range test.errs {
				if !strings.Contains(errs, want) {
					t.Errorf("%q is not among\n%s", want, errs)
				}
			}
		})
	}
}
