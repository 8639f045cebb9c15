package dedupe_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
)

type till struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	charges atomic.Int32
}

func (t *till) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{ChargeId: fmt.Sprint("charge-", t.charges.Add(1))}, nil
}

// A charge whose answer is lost is asked for again, and made once.
func Example() {
	l := bufconn.Listen(1 << 16)
	lost := false
	loseFirst := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		reply, err := handler(ctx, req)
		if !lost {
			lost = true
			return nil, status.Error(codes.Unavailable, "the answer was lost")
		}
		return reply, err
	}
	s := &till{}
	srv := grpc.NewServer(grpc.ChainUnaryInterceptor(loseFirst, dedupe.New().UnaryServerInterceptor))
	paymentsv1.RegisterPaymentsServiceServer(srv, s)
	go func() { _ = srv.Serve(l) }()
	defer srv.Stop()

	retrier := retry.New(retry.WithKeyedMethods("/shop.payments.v1.PaymentsService/Charge"))
	defer func() { _ = retrier.Close() }()
	cc, err := grpc.NewClient("passthrough:///payments", append(retrier.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	reply, err := paymentsv1.NewPaymentsServiceClient(cc).Charge(context.Background(), &paymentsv1.ChargeRequest{OrderId: "42"})
	fmt.Println(reply.GetChargeId(), err)
	fmt.Println(s.charges.Load(), "charge was made")
	// Output:
	// charge-1 <nil>
	// 1 charge was made
}
