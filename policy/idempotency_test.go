package policy_test

import (
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

const healthCheck, allHealth = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/*"

func repeatable(level policyv1.Idempotency) *policyv1.Policy {
	return &policyv1.Policy{Idempotency: level.Enum()}
}

// Where the .proto of a method does not say whether it may be repeated, code and files can.
func TestIdempotencyThatTheProtoDoesNotState(t *testing.T) {
	const (
		idempotent = policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT
		none       = policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS
	)
	for name, test := range map[string]struct {
		layers []policy.Layer
		method string
		want   policy.Idempotency
		source string
	}{
		"nothing is stated":                   {nil, healthCheck, policy.IdempotencyUnknown, "not stated"},
		"unspecified states nothing":          {[]policy.Layer{code(policies{healthCheck: repeatable(0)})}, healthCheck, policy.IdempotencyUnknown, "not stated"},
		"code":                                {[]policy.Layer{code(policies{healthCheck: repeatable(none)})}, healthCheck, policy.NoSideEffects, "code main.go:31"},
		"a file":                              {[]policy.Layer{file(policies{healthCheck: repeatable(idempotent)})}, healthCheck, policy.Idempotent, "file orders.yaml:12"},
		"of code and file the more careful":   {[]policy.Layer{code(policies{healthCheck: repeatable(none)}), file(policies{healthCheck: repeatable(idempotent)})}, healthCheck, policy.Idempotent, "file orders.yaml:12"},
		"a whole service":                     {[]policy.Layer{code(policies{allHealth: repeatable(none)})}, healthCheck, policy.NoSideEffects, "code main.go:31"},
		"a service, and its method":           {[]policy.Layer{code(policies{allHealth: repeatable(none), healthCheck: repeatable(idempotent)})}, healthCheck, policy.Idempotent, "code main.go:31"},
		"a service leaves what has a level":   {[]policy.Layer{code(policies{allPayments: repeatable(none)})}, charge, policy.IdempotencyUnknown, "proto shop/payments/v1/payments.proto: PaymentsService/Charge"},
		"the same as the .proto says nothing": {[]policy.Layer{code(policies{refund: repeatable(idempotent)})}, refund, policy.Idempotent, "proto shop/payments/v1/payments.proto: PaymentsService/Refund"},
	} {
		got := method(t, newTable(t, test.layers...), test.method).Idempotency
		if got.Value != test.want || got.Source.String() != test.source {
			t.Errorf("%s: got %v of %v, want %v of %s", name, got.Value, got.Source, test.want, test.source)
		}
	}
}

func TestIdempotencyAgainstTheProto(t *testing.T) {
	for key, want := range map[string]string{
		charge:   "not idempotent",
		refund:   "idempotent",
		getQuote: "",
	} {
		_, err := policy.New(file(policies{key: repeatable(policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS)}))
		text := "orders.yaml:12: " + key + ": idempotency: the .proto (proto shop/payments/v1/payments.proto: " + key[len("/shop.payments.v1."):] +
			") says that the method is " + want + ", which nothing can contradict; take it out"
		if (err == nil) != (want == "") || err != nil && err.Error() != text {
			t.Errorf("got  %v\nwant %s", err, text)
		}
	}
	_, err := policy.New(file(policies{healthCheck: repeatable(7)}))
	want := "orders.yaml:12: " + healthCheck + ": idempotency: 7 is no idempotency; say IDEMPOTENCY_IDEMPOTENT or IDEMPOTENCY_NO_SIDE_EFFECTS, or leave it out"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A method that one layer calls idempotent may be hedged by another.
func TestHedgesOfWhatALayerCallsIdempotent(t *testing.T) {
	hedge := &policyv1.Policy{Hedge: &policyv1.Hedge{MaxHedges: new(uint32(1))}}
	if _, err := policy.New(file(policies{healthCheck: hedge})); err == nil {
		t.Error("a method that is not known to be idempotent was hedged")
	}
	said := repeatable(policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS)
	table := newTable(t, code(policies{healthCheck: said}), file(policies{healthCheck: hedge}))
	if got := method(t, table, healthCheck).Hedge.MaxHedges.Value; got != 1 {
		t.Errorf("%d hedges, want 1", got)
	}
}
