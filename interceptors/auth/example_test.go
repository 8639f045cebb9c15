package auth_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// A server whose .proto lets "orders" call it, and two clients: orders, and a workload that is just as real but not
// invited.
func Example() {
	dir, err := os.MkdirTemp("", "parley")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	shop, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		log.Fatal(err)
	}
	workload := func(service string) *auth.Identity {
		id, err := shop.ID(service)
		if err != nil {
			log.Fatal(err)
		}
		if err := auth.Enroll(dir, id); err != nil {
			log.Fatal(err)
		}
		return auth.TrustDir(dir, id)
	}
	orders, reports, ledger := workload("orders"), workload("reports"), workload("ledger")

	payments := workload("payments")
	defer func() { _ = payments.Close() }()
	srv := grpc.NewServer(payments.ServerOptions(policy.FromProto())...)
	paymentsv1.RegisterPaymentsServiceServer(srv, quotes{})
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = srv.Serve(lis) }()
	defer srv.Stop()

	ask := func(id *auth.Identity, expected principal.Pattern) {
		cc, err := grpc.NewClient(lis.Addr().String(), id.DialOptions(expected)...)
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = cc.Close() }()
		_, err = paymentsv1.NewPaymentsServiceClient(cc).GetQuote(context.Background(), &paymentsv1.GetQuoteRequest{})
		fmt.Printf("%s calls: %v %s.\n", id.ID(), status.Code(err), rpcerr.ReasonOf(err))
	}
	defer func() { _, _ = orders.Close(), reports.Close() }()
	ask(orders, payments.ID())
	ask(reports, payments.ID())
	ask(orders, ledger.ID())
	// Output:
	// Handler: spiffe://shop.example/orders asks for a quote.
	// spiffe://shop.example/orders calls: OK .
	// spiffe://shop.example/reports calls: PermissionDenied POLICY_DENIED.
	// spiffe://shop.example/orders calls: Unauthenticated SERVER_IDENTITY_MISMATCH.
}

type quotes struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (quotes) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	caller, _ := principal.PeerFromContext(ctx)
	fmt.Printf("Handler: %s asks for a quote.\n", caller.ID)
	return &paymentsv1.GetQuoteResponse{}, nil
}
