package auth_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// exampleID is a workload of the trust domain shop.example.
func exampleID(service string) principal.ID {
	shop, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		log.Fatal(err)
	}
	id, err := shop.ID(service)
	if err != nil {
		log.Fatal(err)
	}
	return id
}

// An operator asks why a call is refused.
func ExampleGate_Explain() {
	users := &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: []*structpb.Value{structpb.NewStringValue("test")}}}}
	table, err := policy.New(policy.CodeAt("main.go:31", map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_Charge_FullMethodName: {Auth: &policyv1.Auth{
			Deny:  []*policyv1.Rule{{Name: new("no-test-users"), User: users}},
			Allow: []*policyv1.Rule{{Name: new("shoppers"), User: &policyv1.UserCondition{Subjects: []string{"alice"}}}},
		}},
	}))
	if err != nil {
		log.Fatal(err)
	}
	keys := keyset.Static([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026-11","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	gate := auth.TrustDir("/etc/parley", exampleID("payments")).Server(table, auth.WithUserIssuers(auth.Issuer{Name: "https://login.example", Keys: keys}))

	fmt.Print(gate.Explain(context.Background(), policy.Call{
		Method: paymentsv1.PaymentsService_Charge_FullMethodName,
		Peer:   &principal.Peer{ID: exampleID("orders"), Carrier: principal.CarrierConnection},
		User:   &principal.User{Issuer: "https://login.example", Subject: "bob"},
	}))
	// Output:
	// /shop.payments.v1.PaymentsService/Charge: refused, POLICY_DENIED: no allow rule holds
	//   deny no-test-users: user; user claim env any "test": does not hold (code main.go:31)
	//   peers: met (proto shop/payments/v1/payments.proto: PaymentsService)
	//   allow shoppers: user; user subjects alice: does not hold (code main.go:31)
	//   decided: no allow rule holds (code main.go:31)
}

// A rule may name what only the program understands: here, that it is at night.
func ExampleWithPredicate() {
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_Refund_FullMethodName: {Auth: &policyv1.Auth{
			Allow: []*policyv1.Rule{{Name: new("batch"), Predicates: []string{"at-night"}}},
		}},
	}))
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, time.November, 25, 14, 0, 0, 0, time.UTC)
	night := auth.WithPredicate("at-night", func(context.Context, policy.Call) bool { return now.Hour() < 6 })
	gate := auth.TrustDir("/etc/parley", exampleID("payments")).Server(table, night)

	call := policy.Call{Method: paymentsv1.PaymentsService_Refund_FullMethodName, Peer: &principal.Peer{ID: exampleID("orders"), Carrier: principal.CarrierConnection}}
	fmt.Println(gate.Explain(context.Background(), call).Allowed)
	now = now.Add(12 * time.Hour)
	fmt.Println(gate.Explain(context.Background(), call).Allowed)
	// Output:
	// false
	// true
}

// What goes on to the next service is on a list.
func ExampleForward() {
	fmt.Println(auth.Forward())
	fmt.Println(auth.Forward("txn-token", "x-request-id"))
	fmt.Println(auth.Forward("authorization").Check())
	// Output:
	// auth.Forward("txn-token")
	// auth.Forward("txn-token", "x-request-id")
	// auth: Forward: key "authorization" is the credential of one workload to another; a service calls with its own
}
