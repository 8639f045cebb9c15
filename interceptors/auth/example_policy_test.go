package auth_test

import (
	"fmt"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// A server asks before it starts whether every method has a decision.
func ExampleGate_Resolve() {
	id, err := principal.ParseID("spiffe://shop.example/payments")
	if err != nil {
		fmt.Println(err)
	}
	gate := auth.TrustDir("/etc/parley", id).Server(policy.FromProto())
	fmt.Println(gate.Resolve("/shop.payments.v1.PaymentsService/Charge"))
	fmt.Println(gate.Resolve("/shop.payments.v1.PaymentsService/Charge", "/grpc.health.v1.Health/Check"))

	table, err := policy.New(policy.Code(auth.HealthPolicy()))
	if err != nil {
		fmt.Println(err)
	}
	gate = auth.TrustDir("/etc/parley", id).Server(table)
	fmt.Println(gate.Resolve("/shop.payments.v1.PaymentsService/Charge", "/grpc.health.v1.Health/Check"))
	// Output:
	// <nil>
	// policy: no policy decides who may call /grpc.health.v1.Health/Check: state it in the .proto, with option (parley.policy.v1.method) = {auth: {access: ACCESS_AUTHENTICATED}} in the rpc or (parley.policy.v1.service) in the service, or in a layer of the policy table
	// <nil>
}

// Policies and configurations name peers in three ways.
