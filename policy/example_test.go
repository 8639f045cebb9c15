package policy_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

func ExampleFromProto() {
	table := policy.FromProto()
	m, err := table.Method("/shop.payments.v1.PaymentsService/Charge")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m)
	// Output:
	// /shop.payments.v1.PaymentsService/Charge (unary)
	//   idempotency  not idempotent  proto shop/payments/v1/payments.proto: PaymentsService/Charge
	//   access       peers           proto shop/payments/v1/payments.proto: PaymentsService
	//   peers        orders          proto shop/payments/v1/payments.proto: PaymentsService
	//   deadline     2s              proto shop/payments/v1/payments.proto: PaymentsService
}

func ExampleNew() {
	_, err := policy.New(policy.CodeAt("main.go:31", map[string]*policyv1.Policy{
		"/shop.payments.v1.PaymentsService/Chrage": {},
		"/shop.payments.v1.PaymentsService/Refund": {Retry: &policyv1.Retry{Codes: []string{"UNAVAILIBLE"}}},
	}))
	fmt.Println(err)
	// Output:
	// main.go:31: /shop.payments.v1.PaymentsService/Chrage: the service "shop.payments.v1.PaymentsService" has no method "Chrage"; did you mean "/shop.payments.v1.PaymentsService/Charge"?
	// main.go:31: /shop.payments.v1.PaymentsService/Refund: retry.codes: "UNAVAILIBLE" is no status code; did you mean "UNAVAILABLE"?
}

func ExampleNewView() {
	table := policy.FromProto()
	attempts := policy.NewView(table, func(m policy.Method) (int, error) {
		if m.Idempotency.Value == policy.IdempotencyUnknown || !m.Retry.MaxAttempts.Stated() {
			return 1, nil
		}
		return m.Retry.MaxAttempts.Value, nil
	})
	defer attempts.Close()

	for _, name := range []string{"GetQuote", "Charge"} {
		n, err := attempts.Get("/shop.payments.v1.PaymentsService/" + name)
		fmt.Println(name, n, err)
	}
	// Output:
	// GetQuote 4 <nil>
	// Charge 1 <nil>
}

func ExampleTable_Replace() {
	table := policy.FromProto()
	read := map[string]*policyv1.Policy{
		"/shop.payments.v1.PaymentsService/*": {Deadline: &policyv1.Deadline{Max: durationpb.New(500 * time.Millisecond)}},
	}
	if err := table.Replace(policy.File("orders.yaml", read, func(string) int { return 12 })); err != nil {
		fmt.Println(err) // the last good policies stay
	}
	m, _ := table.Method("/shop.payments.v1.PaymentsService/Charge")
	fmt.Println(m.Deadline.Value, m.Deadline.Source)
	// Output:
	// 500ms file orders.yaml:12
}
