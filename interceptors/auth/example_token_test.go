package auth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http/httptest"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// A client in token mode: it verifies the TLS name of the server, sends a token with each call, and believes no answer without
// the server's proof.
func ExampleIdentity_Channel() {
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
	orders, payments := workload("orders"), workload("payments")
	defer func() { _, _ = orders.Close(), payments.Close() }()

	https := httptest.NewTLSServer(nil) // for its certificate, which is for example.com
	defer https.Close()
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &https.TLS.Certificates[0], nil }
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())

	srv := grpc.NewServer(payments.ServerOptions(nil, auth.WithBearer(certificate))...)
	paymentsv1.RegisterPaymentsServiceServer(srv, quotes{})
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = srv.Serve(lis) }()
	defer srv.Stop()

	channel := orders.Channel([]principal.Pattern{payments.ID()}, auth.WithMode(auth.ModeToken), auth.WithRoots(roots), auth.WithServerName("example.com"))
	cc, err := grpc.NewClient(lis.Addr().String(), channel.DialOptions()...)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	var header metadata.MD
	_, err = paymentsv1.NewPaymentsServiceClient(cc).GetQuote(context.Background(), &paymentsv1.GetQuoteRequest{}, grpc.Header(&header))
	fmt.Printf("%v, with %d proof of the server.\n", status.Code(err), len(header["parley-proof"]))
	// Output:
	// Handler: spiffe://shop.example/orders asks for a quote.
	// OK, with 1 proof of the server.
}
