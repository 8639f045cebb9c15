package policy_test

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

func deadline(d time.Duration) *policyv1.Policy {
	return &policyv1.Policy{Deadline: &policyv1.Deadline{Max: durationpb.New(d)}}
}

func auth(a *policyv1.Auth) *policyv1.Policy { return &policyv1.Policy{Auth: a} }

func retry(r *policyv1.Retry) *policyv1.Policy { return &policyv1.Policy{Retry: r} }

func code(p policies) policy.Layer { return policy.CodeAt("main.go:31", p) }

func file(p policies) policy.Layer {
	return policy.File("orders.yaml", p, func(string) int { return 12 })
}

func TestDeadline(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string
		layers []policy.Layer
		want   string
	}{
		{"the .proto's service states it", charge, nil, "2s proto shop/payments/v1/payments.proto: PaymentsService"},
		{"code shortens it", charge, []policy.Layer{code(policies{charge: deadline(time.Second)})}, "1s code main.go:31"},
		{"code cannot lengthen it", charge, []policy.Layer{code(policies{charge: deadline(time.Hour)})}, "2s proto shop/payments/v1/payments.proto: PaymentsService"},
		{"the file shortens the code's", charge, []policy.Layer{code(policies{charge: deadline(time.Second)}), file(policies{charge: deadline(time.Millisecond)})}, "1ms file orders.yaml:12"},
		{"the file cannot lengthen the code's", charge, []policy.Layer{code(policies{charge: deadline(time.Second)}), file(policies{charge: deadline(time.Minute)})}, "1s code main.go:31"},
		{"of equal ones the first is named", charge, []policy.Layer{code(policies{charge: deadline(2 * time.Second)})}, "2s proto shop/payments/v1/payments.proto: PaymentsService"},
		{"a service's reaches its unary methods", charge, []policy.Layer{file(policies{allPayments: deadline(time.Second)})}, "1s file orders.yaml:12"},
		{"the .proto's service does not reach a stream", watchCharge, nil, "1m0s proto shop/payments/v1/payments.proto: PaymentsService/WatchCharge"},
		{"a layer's service does not reach a stream", watchCharge, []policy.Layer{file(policies{allPayments: deadline(time.Second)})}, "1m0s proto shop/payments/v1/payments.proto: PaymentsService/WatchCharge"},
		{"a stream's own statement does", watchCharge, []policy.Layer{file(policies{watchCharge: deadline(time.Second)})}, "1s file orders.yaml:12"},
		{"a stream that states none has none", watchOrder, []policy.Layer{file(policies{allOrders: deadline(time.Second)})}, "0s not stated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := method(t, newTable(t, test.layers...), test.method).Deadline
			if s := got.Value.String() + " " + got.Source.String(); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
		})
	}
}

func TestAccess(t *testing.T) {
	anonymous := auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()})
	denied := auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()})
	const health = "/grpc.health.v1.Health/Check"
	for _, test := range []struct {
		name   string
		method string
		layer  policy.Layer
		want   policy.Access
	}{
		{"nobody decided", health, policy.Layer{}, policy.AccessUnspecified},
		{"unspecified decides nothing", health, code(policies{health: auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_UNSPECIFIED.Enum()})}), policy.AccessUnspecified},
		{"code decides where the author did not", health, code(policies{health: anonymous}), policy.AccessAnonymous},
		{"code cannot open what the author closed", getOrder, code(policies{getOrder: anonymous}), policy.AccessAuthenticated},
		{"peers without access mean peers", charge, policy.Layer{}, policy.AccessPeers},
		{"denied is the strictest", charge, code(policies{allPayments: denied}), policy.AccessDenied},
		{"scopes without access mean authenticated", health, code(policies{health: auth(&policyv1.Auth{Scopes: []string{"s"}})}), policy.AccessAuthenticated},
		{"a carrier is no decision", health, code(policies{health: auth(&policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_TOKEN.Enum()})}), policy.AccessUnspecified},
		{"a carrier makes an anonymous method an authenticated one", health, code(policies{"/grpc.health.v1.Health/*": anonymous, health: auth(&policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_TOKEN.Enum()})}), policy.AccessAuthenticated},
		{"a proof makes an anonymous method an authenticated one", health, code(policies{"/grpc.health.v1.Health/*": anonymous, health: auth(&policyv1.Auth{Proof: policyv1.Proof_PROOF_WPT.Enum()})}), policy.AccessAuthenticated},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := method(t, newTable(t, test.layer), test.method).Auth.Access.Value; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPeersAreAConjunction(t *testing.T) {
	peers := func(names ...string) *policyv1.Policy { return auth(&policyv1.Auth{Peers: names}) }
	proto := []string{"orders"}
	for _, test := range []struct {
		name   string
		layers []policy.Layer
		want   [][]string
	}{
		{"alike in the service and its method: one list", nil, [][]string{proto}},
		{"another list must hold as well", []policy.Layer{code(policies{charge: peers("billing", "orders")})}, [][]string{proto, {"billing", "orders"}}},
		{"a list is stated once in whatever order", []policy.Layer{code(policies{charge: peers("a", "b")}), file(policies{charge: peers("b", "a")})}, [][]string{proto, {"a", "b"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got [][]string
			for _, list := range method(t, newTable(t, test.layers...), charge).Auth.Peers {
				got = append(got, list.Value)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestCodesIntersect(t *testing.T) {
	first := retry(&policyv1.Retry{Codes: []string{"UNAVAILABLE", "ABORTED", "UNAVAILABLE"}})
	second := retry(&policyv1.Retry{Codes: []string{"UNAVAILABLE", "INTERNAL"}})
	third := retry(&policyv1.Retry{Codes: []string{"INTERNAL"}})
	for _, test := range []struct {
		name   string
		layers []policy.Layer
		want   policy.Value[[]codes.Code]
	}{
		{"not stated", nil, policy.Value[[]codes.Code]{}},
		{"stated once", []policy.Layer{code(policies{refund: first})}, policy.Value[[]codes.Code]{
			Value: []codes.Code{codes.Aborted, codes.Unavailable}, Source: policy.Source{Kind: policy.KindCode, Place: "main.go:31"},
		}},
		{"stated twice", []policy.Layer{code(policies{refund: first}), file(policies{refund: second})}, policy.Value[[]codes.Code]{
			Value: []codes.Code{codes.Unavailable}, Source: policy.Source{Kind: policy.KindCode, Place: "main.go:31, file orders.yaml:12"},
		}},
		{"nothing in common", []policy.Layer{code(policies{refund: first}), file(policies{refund: third})}, policy.Value[[]codes.Code]{
			Source: policy.Source{Kind: policy.KindCode, Place: "main.go:31, file orders.yaml:12"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := method(t, newTable(t, test.layers...), refund).Retry.Codes
			if got.Source != test.want.Source || !reflect.DeepEqual(got.Value, test.want.Value) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRaisedFirstBackoffRaisesTheLargest(t *testing.T) {
	table := newTable(t, file(policies{getQuote: retry(&policyv1.Retry{InitialBackoff: durationpb.New(time.Second)})}))
	got := method(t, table, getQuote).Retry
	if got.MaxBackoff.Value != time.Second || got.MaxBackoff.Source.Kind != policy.KindFile {
		t.Errorf("max backoff is %v, want 1s of the file", got.MaxBackoff)
	}
}

func TestOperatorMayAlwaysShortenADeadline(t *testing.T) {
	table := newTable(t, file(policies{getQuote: deadline(10 * time.Millisecond)}))
	got := method(t, table, getQuote)
	if got.Deadline.Value != 10*time.Millisecond || got.Retry.PerAttemptTimeout.Value != 500*time.Millisecond {
		t.Errorf("got a deadline of %v and %v for an attempt, want 10ms and the author's 500ms", got.Deadline.Value, got.Retry.PerAttemptTimeout.Value)
	}
}

func TestIdempotencyIsStatedEvenAsUnknown(t *testing.T) {
	for name, want := range map[string]policy.Idempotency{
		getQuote: policy.NoSideEffects, refund: policy.Idempotent, charge: policy.IdempotencyUnknown,
	} {
		if got := method(t, policy.FromProto(), name).Idempotency; got.Value != want || !got.Stated() {
			t.Errorf("%s: got %v, want %v, stated", name, got, want)
		}
	}
	if got := method(t, policy.FromProto(), "/grpc.health.v1.Health/Check").Idempotency; got.Stated() {
		t.Errorf("got %v, want nothing stated", got)
	}
}

func TestCodeNamesItsCaller(t *testing.T) {
	_, _, line, _ := runtime.Caller(0)
	table := newTable(t, policy.Code(policies{charge: deadline(time.Second)}))
	if got, want := method(t, table, charge).Deadline.Source.String(), fmt.Sprintf("code merge_test.go:%d", line+1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLayersDoNotShareTheirInput(t *testing.T) {
	stated := auth(&policyv1.Auth{Peers: []string{"orders", "billing"}})
	table := newTable(t, code(policies{charge: stated}))
	stated.GetAuth().GetPeers()[0] = "mallory"
	if got := method(t, table, charge).Auth.Peers[1].Value[0]; got != "orders" {
		t.Errorf("got %q, want what was stated at first", got)
	}
}
