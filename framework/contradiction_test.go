package framework_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/framework"
)

// What a file says about retries and cannot mean is refused at the start, with its line and what to do.
func TestCheckRefusesContradictoryRetries(t *testing.T) {
	t.Parallel()
	const policies = "policies:\n  /shop.payments.v1.PaymentsService/"
	for _, test := range []struct {
		name   string
		config string // from line 2 on
		want   []string
	}{
		{
			"attempts that do not fit into the deadline",
			policies + "Refund:\n    deadline: {max: 1s}\n    retry: {max_attempts: 5, per_attempt_timeout: 300ms}\n",
			[]string{
				"payments.yaml:3", "Refund", "retry.max_attempts: 5 attempts of up to 300ms", "the deadline, 1s",
				"lower one of the two",
			},
		},
		{
			"an attempt that is longer than the deadline",
			policies + "Refund:\n    deadline: {max: 1s}\n    retry: {per_attempt_timeout: 2s}\n",
			[]string{
				"payments.yaml:3", "retry.per_attempt_timeout: 2s is longer than the deadline, 1s", "lower it or leave it out",
			},
		},
		{
			"hedges of a method that must not be repeated",
			policies + "Charge:\n    hedge: {max_hedges: 1, delay: 50ms}\n",
			[]string{
				"payments.yaml:3", "Charge", "hedge.max_hedges",
				"take hedging out, or state that it may be (idempotency_level in the .proto",
			},
		},
		{
			"a hedge that could never start",
			policies + "GetQuote:\n    deadline: {max: 100ms}\n    hedge: {delay: 100ms}\n",
			[]string{
				"payments.yaml:3", "hedge.delay: 100ms is not shorter than the deadline, 100ms", "lower it or leave hedging out",
			},
		},
		{
			"a code that is never retried",
			policies + "GetQuote:\n    retry: {codes: [UNAUTHENTICATED]}\n",
			[]string{"payments.yaml:3", "retry.codes: UNAUTHENTICATED is never retried", "take it out"},
		},
		{
			"a budget that keeps an outage going",
			"clients:\n  ledger:\n    target: 127.0.0.1:1\n    retry_budget: {min_per_second: 10}\n",
			[]string{"ledger", "MinPerSecond is 10; it must be 0 to 1", "lower it, or say Unsafe"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := ledgerOf(t, test.config).Check()
			if err == nil {
				t.Fatal("Check found nothing")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Check = %v\nwhich does not say %q", err, want)
				}
			}
		})
	}
}

func TestCheckTakesABudgetThatIsCalledUnsafe(t *testing.T) {
	t.Parallel()
	app := ledgerOf(
		t,
		"clients:\n  ledger:\n    target: 127.0.0.1:1\n    retry_budget: {min_per_second: 10, unsafe: true}\n",
	)
	if err := app.Check(); err != nil {
		t.Error(err)
	}
}

// ledgerOf is the payments service, which calls a ledger.
func ledgerOf(t *testing.T, config string) *framework.App {
	t.Helper()
	dir, keyFile := state(t)
	identity := fmt.Sprintf("identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n", dir, keyFile)
	app := newPayments(t, framework.WithConfigFile(writeFile(t, identity+config)))
	app.Client("ledger", framework.WithTarget("127.0.0.1:1"))
	return app
}
