package framework_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// What clients.<name> may say about balancing, and what is said of what it may not.
func TestBalancingByConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ client, want string }{
		{"balancing: zone_weighted", ""},
		{"balancing: least_request", ""},
		{"balancing: ring_hash, hash_key: {metadata: user-id}", ""},
		{"balancing: ring_hash, hash_key: {field: order.customer_id}", ""},
		{"subset: {above: 50, size: 10}", ""},
		{"subset: {size: 0}", ""},
		{"outliers: {}", ""},
		{"outliers: {interval: 5s, min_calls: 10, failure_percent: 80, rest: 1m, max_percent: 20}", ""},
		{
			"balancing: fastest",
			`clients.payments: this program does not know the balancing policy "fastest"; use one of ` +
				"least_request, pick_first, ring_hash, round_robin, weighted_round_robin, zone_weighted, or",
		},
		{"balancing: ring_hash, hash_key: {}", "clients.payments: hash_key: set either metadata or field"},
		{"balancing: ring_hash, hash_key: {metadata: a, field: b}", "hash_key: set either metadata or field"},
		{"hash_key: {field: order_id}", "only balancing: ring_hash uses it"},
		{"hash_key: {metadata: user-id}", "only the balancing policy ring_hash uses a hash key"},
		{"subset: {above: 5, size: 10}", "a size of 10 above 5"},
		{"outliers: {rest: 1h}", "a rest of 1h0m0s"},
		{
			`target: "xds:///payments"`,
			`Client("payments"): target "xds:///payments": the App has no control plane; ` +
				"add one with WithControlPlane(xds.New())",
		},
	} {
		t.Run(tt.client, func(t *testing.T) {
			t.Parallel()
			app := framework.New(
				"orders",
				framework.WithInsecureDev(),
				framework.WithEnviron(nil),
				framework.WithConfigFile(
					writeFile(
						t,
						"discovery: {services: {payments: {addresses: ['127.0.0.1:1']}}}\nclients:\n  payments: {"+tt.client+"}\n",
					),
				),
			)
			app.Client("payments")
			err := app.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check: %v; want it to say %q", err, tt.want)
			}
			if err := app.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDescribeSaysHowCallsAreSpread(t *testing.T) {
	t.Parallel()
	for client, want := range map[string]string{
		"balancing: ring_hash, hash_key: {field: order_id}":        "balancing: ring_hash, by field order_id\n",
		"balancing: ring_hash, hash_key: {metadata: user-id}":      "balancing: ring_hash, by metadata user-id\n",
		"balancing: least_request_experimental, subset: {size: 0}": "balancing: least_request, outliers rest 30s\n",
		"outliers: {off: true}": "balancing: zone_weighted, zone east, " +
			"20 instances of more than 100\n",
		"outliers: {rest: 1m}": "balancing: zone_weighted, zone east, " +
			"20 instances of more than 100, outliers rest 1m0s\n",
	} {
		app := framework.New("orders", framework.WithInsecureDev(), framework.WithEnviron(nil),
			framework.WithConfigFile(writeFile(t, "discovery: {zone: east}\nclients:\n  payments: {"+client+"}\n")))
		app.Client("payments")
		var text strings.Builder
		if err := app.Describe(&text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s: described as\n%s\nwant %s", client, text.String(), want)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Calls about one thing go to one replica, which is found by a field of the request.
func TestRingHashByAFieldOfTheRequest(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "clients:\n  payments: {balancing: ring_hash, hash_key: {field: order_id}}\n")
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		replicas(n, frameworktest.NewFaults(), frameworktest.NewFaults(), frameworktest.NewFaults())
		var way route
		client := paymentsv1.NewPaymentsServiceClient(
			n.App("orders", way.option(), framework.WithConfigFile(file)).Client("payments"),
		)
		used := map[string]bool{}
		for i := range 30 {
			var home string
			for range 3 {
				if _, err := client.GetQuote(
					t.Context(), &paymentsv1.GetQuoteRequest{OrderId: fmt.Sprint("order ", i)},
				); err != nil {
					t.Fatal(err)
				}
				taken := way.taken()
				if home == "" {
					home = taken[0]
				}
				if taken[0] != home {
					t.Fatalf("order %d went to %s and to %s", i, home, taken[0])
				}
				used[home] = true
			}
		}
		if len(used) != 3 {
			t.Errorf("thirty orders are at %v, want all three replicas", used)
		}
	})
}

// Code says where an App runs and how calls are spread; instances are announced with the zone.
func TestZonesAndBalancingInCode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		near, far := frameworktest.NewFaults(), frameworktest.NewFaults()
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments", framework.WithZone("east")), near.Option()),
			&bank{},
		)
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments", framework.WithZone("west")), far.Option()),
			&bank{},
		)
		n.Start()
		orders := n.App("orders", framework.WithZone("east"))
		zoned := paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))
		settle(t, zoned)
		before := far.Calls(getQuote)
		for range 20 {
			if err := quote(t, zoned); err != nil {
				t.Fatal(err)
			}
		}
		if n := far.Calls(getQuote) - before; n != 0 {
			t.Errorf("%d of 20 calls left the zone", n)
		}
		even := paymentsv1.NewPaymentsServiceClient(n.App("orders", framework.WithZone("east")).Client("payments",
			framework.WithBalancing(grpcbalancer.Balancing{Policy: grpcbalancer.RoundRobin})))
		settle(t, even)
		before = far.Calls(getQuote)
		for range 20 {
			if err := quote(t, even); err != nil {
				t.Fatal(err)
			}
		}
		if n := far.Calls(getQuote) - before; n != 10 {
			t.Errorf("%d of 20 calls went to the other zone, want every second one", n)
		}
	})
}

// The configuration says it over the code, and gives instances weights.
func TestZonesAndWeightsByConfiguration(t *testing.T) {
	t.Parallel()
	heavy := writeFile(t, "discovery: {zone: east}\nservers:\n  payments: {weight: 3}\n")
	light := writeFile(t, "discovery: {zone: east}\n")
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		first, second := frameworktest.NewFaults(), frameworktest.NewFaults()
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments", framework.WithConfigFile(heavy)), first.Option()),
			&bank{},
		)
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments", framework.WithConfigFile(light), framework.WithZone("west")), second.Option()),
			&bank{},
		)
		n.Start()
		client := paymentsv1.NewPaymentsServiceClient(n.App("orders", framework.WithZone("east")).Client("payments"))
		settle(t, client)
		before := second.Calls(getQuote)
		for range 100 {
			if err := quote(t, client); err != nil {
				t.Fatal(err)
			}
		}
		if n := second.Calls(getQuote) - before; n < 24 || n > 26 {
			t.Errorf("%d of 100 calls went to the instance of a quarter of the weight", n)
		}
	})
}

// A replica that takes three times as long gets a third of the calls of the other, once the reports have settled.
func TestWeightedRoundRobinFollowsTheReportsOfServers(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "clients:\n  payments: {balancing: weighted_round_robin}\n")
	reporting := writeFile(t, "servers:\n  payments: {load_reports: true}\n")
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		takes := func(d time.Duration) *bank {
			return &bank{quote: func(context.Context) error { time.Sleep(d); return nil }}
		}
		fast, slow := frameworktest.NewFaults(), frameworktest.NewFaults()
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments"), fast.Option(), framework.WithLoadReports()),
			takes(10*time.Millisecond),
		)
		paymentsv1.RegisterPaymentsServiceServer(
			n.Server(n.App("payments", framework.WithConfigFile(reporting)), slow.Option()),
			takes(30*time.Millisecond),
		)
		n.Start()
		l := &load{
			t:      t,
			client: paymentsv1.NewPaymentsServiceClient(n.App("orders", framework.WithConfigFile(file)).Client("payments")),
		}
		l.during(50, true, func() {
			time.Sleep(5 * time.Second)
			if a, b := fast.Calls(getQuote), slow.Calls(getQuote); a < b-2 || a > b+2 {
				t.Errorf("before the reports count, %d and %d calls were made, want as many to each", a, b)
			}
			time.Sleep(10 * time.Second)
			a, b := fast.Calls(getQuote), slow.Calls(getQuote)
			time.Sleep(20 * time.Second)
			a, b = fast.Calls(getQuote)-a, slow.Calls(getQuote)-b
			if part := float64(a) / float64(a+b); part < 0.72 || part > 0.78 {
				t.Errorf("the fast replica got %d and the slow one %d calls, want three quarters and one", a, b)
			}
		})
		l.report(50 * 30)
	})
}
