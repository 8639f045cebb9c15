package framework_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-rpc/parley/admin/channelz"
	"github.com/parley-rpc/parley/framework"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

type orders struct {
	ordersv1.UnimplementedOrdersServiceServer
	payments paymentsv1.PaymentsServiceClient
}

// A service that is called by others and calls one itself.
func Example_server() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	app := framework.New("orders", framework.WithConfigFile("orders.yaml"))
	payments := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
	ordersv1.RegisterOrdersServiceServer(app.Server(":8443"), &orders{payments: payments})
	if err := app.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// A program that only calls.
func Example_client() {
	app := framework.New("checkout", framework.WithConfigFile("checkout.yaml"))
	defer app.Close()
	client := ordersv1.NewOrdersServiceClient(app.Client("orders"))
	reply, err := client.GetOrder(context.Background(), &ordersv1.GetOrderRequest{Id: "42"})
	log.Println(reply, err)
}

// Check finds every mistake at once, before anything is started.
func ExampleApp_Check() {
	app := framework.New("orders", framework.WithEnviron(nil))
	app.Client("payments")
	ordersv1.RegisterOrdersServiceServer(app.Server("8443"), &orders{})
	fmt.Println(app.Check())
	// Output:
	// this App has no identity; set identity.trust_dir (PARLEY_IDENTITY_TRUST_DIR) to the directory with the services' public keys and identity.key_file to the private key, or identity.issued to the issuers that vouch for services, or identity.kubernetes to the issuer that knows this pod, or pass WithIdentity; for a first try on one machine WithInsecureDev runs without
	// Server("8443"): want host:port, such as :8443: address 8443: missing port in address
	// Client("payments"): discovery is not configured; set discovery.driver, or set the address with clients.payments.target or WithTarget
}

// A service runs each idempotency key once.
func ExampleWithDedupe() {
	app := framework.New("payments", framework.WithDedupe())
	defer app.Close()
	fmt.Println(framework.WithDedupe())
	// Output: WithDedupe()
}

// A client states that the service deduplicates a method, which may then be retried.
func ExampleWithRetry() {
	app := framework.New("orders", framework.WithInsecureDev())
	defer app.Close()
	client := app.Client("payments",
		framework.WithRetry(retry.WithKeyedMethods("/shop.payments.v1.PaymentsService/Charge")))
	fmt.Println(client != nil)
	// Output: true
}

// A client of canaries believes them as well.
func ExampleWithPeers() {
	fmt.Println(framework.WithPeers("spiffe://shop.example/payments", "spiffe://shop.example/canary/*"))
	// Output: WithPeers(spiffe://shop.example/payments, spiffe://shop.example/canary/*)
}

// The admin surface also shows gRPC's own bookkeeping of channels, servers and sockets.
func ExampleWithAdminMount() {
	app := framework.New("orders", framework.WithConfigFile("orders.yaml"), framework.WithAdminMount(channelz.Mount()))
	defer app.Close()
	fmt.Println(framework.WithAdminMount(channelz.Mount()))
	// Output: WithAdminMount("/debug/channelz/")
}

// Describe shows what an App is made of.
func ExampleApp_Describe() {
	app := framework.New("orders", framework.WithInsecureDev(), framework.WithEnviron(nil))
	paymentsv1.RegisterPaymentsServiceServer(app.Server("127.0.0.1:8443"), paymentsv1.UnimplementedPaymentsServiceServer{})
	app.Client("warehouse", framework.WithTarget("dns:///warehouse.internal:8443"))
	if err := app.Describe(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// service orders
	//   WithInsecureDev()
	//   WithEnviron(0 entries)
	// identity none: WithInsecureDev
	// stop within 26s of 30s
	//
	// server 127.0.0.1:8443 as orders
	//   keepalive after 20s, for 10s
	//   chain: span > recovery > deadline, hop guard > chain guard > [Handler] > handler
	//   /shop.payments.v1.PaymentsService/GetQuote (unary)
	//     idempotency          no side effects  proto shop/payments/v1/payments.proto: PaymentsService/GetQuote
	//     access               peers            proto shop/payments/v1/payments.proto: PaymentsService
	//     peers                orders           proto shop/payments/v1/payments.proto: PaymentsService
	//     deadline             2s               proto shop/payments/v1/payments.proto: PaymentsService
	//     max attempts         4                proto shop/payments/v1/payments.proto: PaymentsService/GetQuote
	//     initial backoff      50ms             proto shop/payments/v1/payments.proto: PaymentsService/GetQuote
	//     max backoff          400ms            proto shop/payments/v1/payments.proto: PaymentsService/GetQuote
	//     per-attempt timeout  500ms            proto shop/payments/v1/payments.proto: PaymentsService/GetQuote
	//   /shop.payments.v1.PaymentsService/Charge (unary)
	//     idempotency  not idempotent  proto shop/payments/v1/payments.proto: PaymentsService/Charge
	//     access       peers           proto shop/payments/v1/payments.proto: PaymentsService
	//     peers        orders          proto shop/payments/v1/payments.proto: PaymentsService
	//     deadline     2s              proto shop/payments/v1/payments.proto: PaymentsService
	//   /shop.payments.v1.PaymentsService/Refund (unary)
	//     idempotency      idempotent  proto shop/payments/v1/payments.proto: PaymentsService/Refund
	//     access           peers       proto shop/payments/v1/payments.proto: PaymentsService
	//     peers            orders      proto shop/payments/v1/payments.proto: PaymentsService
	//     deadline         2s          proto shop/payments/v1/payments.proto: PaymentsService
	//     max attempts     3           proto shop/payments/v1/payments.proto: PaymentsService/Refund
	//     initial backoff  1s          proto shop/payments/v1/payments.proto: PaymentsService/Refund
	//   /shop.payments.v1.PaymentsService/WatchCharge (server stream)
	//     idempotency  no side effects  proto shop/payments/v1/payments.proto: PaymentsService/WatchCharge
	//     access       peers            proto shop/payments/v1/payments.proto: PaymentsService
	//     peers        orders           proto shop/payments/v1/payments.proto: PaymentsService
	//     deadline     1m0s             proto shop/payments/v1/payments.proto: PaymentsService/WatchCharge
	//
	// client warehouse
	//   WithTarget("dns:///warehouse.internal:8443")
	//   target: dns:///warehouse.internal:8443
	//   balancing: zone_weighted, 20 instances of more than 100, outliers rest 30s
	//   keepalive after 10s, for 4s
	//   chain: call span > [Call] > deadline, retry > attempt span > [Attempt] > wire record > wire
}
