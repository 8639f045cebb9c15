package policy_test

import (
	"errors"
	"math"
	"testing"
	"time"

	_ "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

func TestMistakes(t *testing.T) {
	second, year := durationpb.New(time.Second), 365*24*time.Hour
	for _, test := range []struct {
		name string
		key  string
		p    *policyv1.Policy
		want string
	}{
		{
			"unknown method, near one", "/shop.payments.v1.PaymentsService/Chrage", deadline(time.Second),
			`orders.yaml:12: /shop.payments.v1.PaymentsService/Chrage: the service "shop.payments.v1.PaymentsService" has no method "Chrage"; did you mean "/shop.payments.v1.PaymentsService/Charge"?`,
		},
		{
			"unknown method, none near", "/shop.payments.v1.PaymentsService/Nothing", deadline(time.Second),
			`orders.yaml:12: /shop.payments.v1.PaymentsService/Nothing: the service "shop.payments.v1.PaymentsService" has no method "Nothing"`,
		},
		{
			"unknown service, near one", "/shop.payment.v1.PaymentsService/*", deadline(time.Second),
			`orders.yaml:12: /shop.payment.v1.PaymentsService/*: no linked .proto describes the service "shop.payment.v1.PaymentsService"; did you mean "/shop.payments.v1.PaymentsService/*"?`,
		},
		{
			"unknown service, none near", "/x.Y/Z", deadline(time.Second),
			`orders.yaml:12: /x.Y/Z: no linked .proto describes the service "x.Y"; import its generated package`,
		},
		{
			"a message is no service", "/shop.orders.v1.Order/Get", deadline(time.Second),
			`orders.yaml:12: /shop.orders.v1.Order/Get: no linked .proto describes the service "shop.orders.v1.Order"; did you mean "/shop.orders.v1.OrdersService/Get"?`,
		},
		{
			"no method at all", "shop.orders.v1.OrdersService/GetOrder", deadline(time.Second),
			`orders.yaml:12: shop.orders.v1.OrdersService/GetOrder: is no method; write "/package.Service/Method", ` +
				`"/package.Service/*" for a service, "/package.*" for a package, or "/*" for everything`,
		},
		{
			"no peers at all, as somebody computed", charge, &policyv1.Policy{Auth: &policyv1.Auth{Peers: []string{}}},
			`orders.yaml:12: ` + charge + `: auth.peers: the list is empty, which would mean the same as no list; ` +
				`state its values, or leave it out (nil)`,
		},
		{
			"nil policy", charge, nil,
			`orders.yaml:12: ` + charge + `: the policy is nil; state something or take the entry out`,
		},
		{
			"negative deadline", charge, deadline(-time.Second),
			`orders.yaml:12: ` + charge + `: deadline.max: -1s is negative; write a time like 250ms, or leave it out`,
		},
		{
			"no deadline at all", charge, deadline(0),
			`orders.yaml:12: ` + charge + `: deadline.max: it is 0; write a time like 250ms, or leave it out`,
		},
		{
			"broken duration", charge, &policyv1.Policy{Deadline: &policyv1.Deadline{Max: &durationpb.Duration{Seconds: 1, Nanos: -1}}},
			`orders.yaml:12: ` + charge + `: deadline.max: 1s and -1ns is no valid duration; write one like 250ms`,
		},
		{
			"duration beyond Go's", charge, &policyv1.Policy{Deadline: &policyv1.Deadline{Max: &durationpb.Duration{Seconds: 300 * int64(year/time.Second)}}},
			`orders.yaml:12: ` + charge + `: deadline.max: 9460800000s and 0ns is no valid duration; write one like 250ms`,
		},
		{
			"no attempts", refund, retry(&policyv1.Retry{MaxAttempts: new(uint32(0))}),
			`orders.yaml:12: ` + refund + `: retry.max_attempts: 0 is out of range; it must be 1 to 10 (1 switches retries off)`,
		},
		{
			"too many attempts", refund, retry(&policyv1.Retry{MaxAttempts: new(uint32(11))}),
			`orders.yaml:12: ` + refund + `: retry.max_attempts: 11 is out of range; it must be 1 to 10 (1 switches retries off)`,
		},
		{
			"attempts beyond int32", refund, retry(&policyv1.Retry{MaxAttempts: new(uint32(math.MaxUint32))}),
			`orders.yaml:12: ` + refund + `: retry.max_attempts: 4294967295 is out of range; it must be 1 to 10 (1 switches retries off)`,
		},
		{
			"too many hedges", refund, &policyv1.Policy{Hedge: &policyv1.Hedge{MaxHedges: new(uint32(10))}},
			`orders.yaml:12: ` + refund + `: hedge.max_hedges: 10 is out of range; it must be 0 to 9 (0 switches hedging off)`,
		},
		{
			"unknown code, near one", refund, retry(&policyv1.Retry{Codes: []string{"UNAVAILIBLE"}}),
			`orders.yaml:12: ` + refund + `: retry.codes: "UNAVAILIBLE" is no status code; did you mean "UNAVAILABLE"?`,
		},
		{
			"code in lower case", refund, retry(&policyv1.Retry{Codes: []string{"unavailable"}}),
			`orders.yaml:12: ` + refund + `: retry.codes: "unavailable" is no status code; did you mean "UNAVAILABLE"?`,
		},
		{
			"unknown code, none near", refund, retry(&policyv1.Retry{Codes: []string{"BROKEN_PIPES_EVERYWHERE"}}),
			`orders.yaml:12: ` + refund + `: retry.codes: "BROKEN_PIPES_EVERYWHERE" is no status code; codes are written like "UNAVAILABLE"`,
		},
		{
			"OK is retried", refund, retry(&policyv1.Retry{Codes: []string{"OK"}}),
			`orders.yaml:12: ` + refund + `: retry.codes: OK is no failure; take it out`,
		},
		{
			"largest backoff below the first", refund, retry(&policyv1.Retry{InitialBackoff: second, MaxBackoff: durationpb.New(time.Millisecond)}),
			`orders.yaml:12: ` + refund + `: retry.max_backoff: 1ms is shorter than retry.initial_backoff, 1s (file orders.yaml:12); raise it or lower the other`,
		},
		{
			"an attempt longer than the deadline", refund, &policyv1.Policy{Deadline: &policyv1.Deadline{Max: durationpb.New(time.Millisecond)}, Retry: &policyv1.Retry{PerAttemptTimeout: second}},
			`orders.yaml:12: ` + refund + `: retry.per_attempt_timeout: 1s is longer than the deadline, 1ms (file orders.yaml:12), so no attempt could follow one that timed out; lower it or leave it out`,
		},
		{
			"a hedge after the deadline", refund, &policyv1.Policy{Deadline: &policyv1.Deadline{Max: second}, Hedge: &policyv1.Hedge{Delay: second}},
			`orders.yaml:12: ` + refund + `: hedge.delay: 1s is not shorter than the deadline, 1s (file orders.yaml:12), so no hedge could ever start; lower it or leave hedging out`,
		},
		{
			"more attempts than fit into the deadline", refund, &policyv1.Policy{Deadline: &policyv1.Deadline{Max: second}, Retry: &policyv1.Retry{MaxAttempts: new(uint32(3)), PerAttemptTimeout: durationpb.New(400 * time.Millisecond)}},
			`orders.yaml:12: ` + refund + `: retry.max_attempts: 3 attempts of up to 400ms (retry.per_attempt_timeout, file orders.yaml:12) do not fit into the deadline, 1s (file orders.yaml:12); lower one of the two, or raise the deadline`,
		},
		{
			"hedges of what must not be repeated", charge, &policyv1.Policy{Hedge: &policyv1.Hedge{MaxHedges: new(uint32(1))}},
			`orders.yaml:12: ` + charge + `: hedge.max_hedges: nothing says that the method may be repeated, so it is never hedged; take hedging out, or state that it may be (idempotency_level in the .proto, or idempotency in code or a file)`,
		},
		{
			"the delay of such hedges", charge, &policyv1.Policy{Hedge: &policyv1.Hedge{Delay: second}},
			`orders.yaml:12: ` + charge + `: hedge.delay: nothing says that the method may be repeated, so it is never hedged; take hedging out, or state that it may be (idempotency_level in the .proto, or idempotency in code or a file)`,
		},
		{
			"empty peer", charge, auth(&policyv1.Auth{Peers: []string{"orders", ""}}),
			`orders.yaml:12: ` + charge + `: auth.peers: an entry is empty; take it out or write what was meant`,
		},
		{
			"empty scope", charge, auth(&policyv1.Auth{Scopes: []string{""}}),
			`orders.yaml:12: ` + charge + `: auth.scopes: an entry is empty; take it out or write what was meant`,
		},
		{
			"anonymous with peers", charge, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(), Peers: []string{"orders"}}),
			`orders.yaml:12: ` + charge + `: auth: access is anonymous, which asks for no peer, but peers are listed; leave access out, or take the peers out`,
		},
		{
			"authenticated with peers", charge, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum(), Peers: []string{"orders"}}),
			`orders.yaml:12: ` + charge + `: auth: access is authenticated, which asks for no peer, but peers are listed; leave access out, or take the peers out`,
		},
		{
			"anonymous with scopes", getOrder, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(), Scopes: []string{"s"}}),
			`orders.yaml:12: ` + getOrder + `: auth: access is anonymous, but scopes are listed, which only a proven caller carries; leave access out, or take the scopes out`,
		},
		{
			"anonymous with a carrier", getOrder, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(), Carrier: policyv1.Carrier_CARRIER_TOKEN.Enum()}),
			`orders.yaml:12: ` + getOrder + `: auth: access is anonymous, but a carrier of the caller's proof is stated; leave access out, or take the carrier out`,
		},
		{
			"anonymous with a proof", getOrder, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(), Proof: policyv1.Proof_PROOF_CALL.Enum()}),
			`orders.yaml:12: ` + getOrder + `: auth: access is anonymous, but a proof is stated, which an anonymous caller neither gives nor gets; leave access out, or take the proof out`,
		},
		{
			"proof of a later version", charge, auth(&policyv1.Auth{Proof: new(policyv1.Proof(9))}),
			`orders.yaml:12: ` + charge + `: auth.proof: 9 is no level of proof; say PROOF_SESSION, PROOF_CALL or PROOF_WPT, or leave it out`,
		},
		{
			"access of a later version", charge, auth(&policyv1.Auth{Access: new(policyv1.Access(9))}),
			`orders.yaml:12: ` + charge + `: auth.access: 9 is no level of access; no call passes until it is corrected`,
		},
		{
			"carrier of a later version", charge, auth(&policyv1.Auth{Carrier: new(policyv1.Carrier(9))}),
			`orders.yaml:12: ` + charge + `: auth.carrier: 9 is no carrier; say CARRIER_TOKEN or CARRIER_CONNECTION, or leave it out`,
		},
		{
			"peers asked for, none listed", getOrder, auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_PEERS.Enum()}),
			`orders.yaml:12: ` + getOrder + `: auth.access: access is peers, but no peers are listed anywhere, so no call could pass; list peers, or say denied`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.New(file(policies{test.key: test.p}))
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %v", err, test.want)
			}
			var mistake *policy.Mistake
			if !errors.As(err, &mistake) || mistake.Source.String() != "file orders.yaml:12" || mistake.Subject != test.key {
				t.Errorf("got %#v, want a Mistake of the file about %s", mistake, test.key)
			}
		})
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	_, err := policy.New(
		code(policies{charge: deadline(-1), refund: retry(&policyv1.Retry{MaxAttempts: new(uint32(0)), Codes: []string{"OK"}})}),
		file(policies{allPayments: deadline(0), "/x": nil}))
	want := "main.go:31: " + charge + ": deadline.max: -1ns is negative; write a time like 250ms, or leave it out\n" +
		"main.go:31: " + refund + ": retry.codes: OK is no failure; take it out\n" +
		"main.go:31: " + refund + ": retry.max_attempts: 0 is out of range; it must be 1 to 10 (1 switches retries off)\n" +
		"orders.yaml:12: " + allPayments + ": deadline.max: it is 0; write a time like 250ms, or leave it out\n" +
		"orders.yaml:12: /x: the policy is nil; state something or take the entry out\n" +
		`orders.yaml:12: /x: is no method; write "/package.Service/Method", "/package.Service/*" for a service, ` +
		`"/package.*" for a package, or "/*" for everything`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
}

func TestOneLayerMustNotContradictItself(t *testing.T) {
	whole := retry(&policyv1.Retry{PerAttemptTimeout: durationpb.New(time.Second)})
	own := deadline(100 * time.Millisecond)
	if _, err := policy.New(file(policies{allPayments: whole, charge: own})); err == nil {
		t.Error("a service and its method in one file contradict each other, and nobody said so")
	}
	if _, err := policy.New(code(policies{allPayments: whole}), file(policies{charge: own})); err != nil {
		t.Errorf("got %v, want a deadline that narrows another layer", err)
	}
}

// What is said of a whole service is said of the methods that can have it.
func TestHedgesOfAServiceReachWhatMayBeRepeated(t *testing.T) {
	hedge := &policyv1.Policy{Hedge: &policyv1.Hedge{MaxHedges: new(uint32(1))}}
	table := newTable(t, file(policies{allPayments: hedge}))
	for name, want := range map[string]int{getQuote: 1, refund: 1, charge: 0} {
		if got := method(t, table, name).Hedge.MaxHedges.Value; got != want {
			t.Errorf("%s: %d hedges, want %d", name, got, want)
		}
	}
}

func TestAttemptsThatJustFitIntoTheDeadline(t *testing.T) {
	p := retry(&policyv1.Retry{MaxAttempts: new(uint32(4)), PerAttemptTimeout: durationpb.New(250 * time.Millisecond)})
	p.Deadline = &policyv1.Deadline{Max: durationpb.New(time.Second)}
	newTable(t, file(policies{refund: p}))
}

func TestAuthenticatedMethodNarrowedToPeersListedElsewhere(t *testing.T) {
	access := auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_PEERS.Enum()})
	peers := auth(&policyv1.Auth{Peers: []string{"support"}})
	if _, err := policy.New(code(policies{allOrders: access}), file(policies{allOrders: peers})); err != nil {
		t.Error(err)
	}
}
