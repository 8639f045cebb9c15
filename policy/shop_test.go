package policy_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	_ "github.com/parley-rpc/parley/gen/shop/orders/v1"
	_ "github.com/parley-rpc/parley/gen/shop/payments/v1"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

const (
	allPayments = "/shop.payments.v1.PaymentsService/*"
	getQuote    = "/shop.payments.v1.PaymentsService/GetQuote"
	charge      = "/shop.payments.v1.PaymentsService/Charge"
	refund      = "/shop.payments.v1.PaymentsService/Refund"
	watchCharge = "/shop.payments.v1.PaymentsService/WatchCharge"
	allOrders   = "/shop.orders.v1.OrdersService/*"
	getOrder    = "/shop.orders.v1.OrdersService/GetOrder"
	watchOrder  = "/shop.orders.v1.OrdersService/WatchOrder"
	negotiate   = "/shop.orders.v1.OrdersService/Negotiate"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestDescribeShop(t *testing.T) {
	var got bytes.Buffer
	table := policy.FromProto()
	for _, name := range table.Methods() {
		if !strings.HasPrefix(name, "/shop.") {
			continue
		}
		if err := method(t, table, name).Describe(&got); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "testdata/shop.txt", got.Bytes())
}

func TestDescribeNarrowed(t *testing.T) {
	narrowed := &policyv1.Policy{
		Auth:     &policyv1.Auth{Peers: []string{"billing", "orders"}, Scopes: []string{"pay"}, Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum()},
		Deadline: &policyv1.Deadline{Max: durationpb.New(800 * time.Millisecond)},
		Retry:    &policyv1.Retry{MaxAttempts: new(uint32(2)), Codes: []string{"ABORTED", "UNAVAILABLE"}},
	}
	further := &policyv1.Policy{
		Auth:  &policyv1.Auth{Scopes: []string{"audit"}},
		Retry: &policyv1.Retry{Codes: []string{"UNAVAILABLE", "DATA_LOSS"}, InitialBackoff: durationpb.New(time.Second)},
		Hedge: &policyv1.Hedge{MaxHedges: new(uint32(1)), Delay: durationpb.New(100 * time.Millisecond)},
	}
	table := newTable(t,
		policy.CodeAt("main.go:31", policies{getQuote: narrowed}),
		policy.File("orders.yaml", policies{allPayments: further}, func(string) int { return 12 }))
	var got bytes.Buffer
	if err := method(t, table, getQuote).Describe(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/narrowed.txt", got.Bytes())
}

func TestDescribeUndescribed(t *testing.T) {
	m := method(t, policy.FromProto(), "/some.other.Service/Call")
	if got, want := m.String(), "/some.other.Service/Call (not described by a linked .proto)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDescribeUndecided(t *testing.T) {
	m := method(t, policy.FromProto(), "/grpc.health.v1.Health/Check")
	if got := m.String(); !strings.Contains(got, "access  not decided") {
		t.Errorf("got %s, want a line that nobody decided who may call", got)
	}
}

// golden compares got with a file that go test -update writes.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; run go test ./policy -update and read the difference\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

type policies = map[string]*policyv1.Policy

func newTable(t *testing.T, layers ...policy.Layer) *policy.Table {
	t.Helper()
	table, err := policy.New(layers...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func method(t *testing.T, table *policy.Table, name string) policy.Method {
	t.Helper()
	m, err := table.Method(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
