package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// payments fails the first calls of each method.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	failures int
	calls    int
}

func (p *payments) fail() error {
	p.calls++
	if p.calls <= p.failures {
		return status.Error(codes.Unavailable, "the disk is full")
	}
	return nil
}

func (p *payments) GetQuote(context.Context, *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{Price: &paymentsv1.Money{Currency: "EUR", MinorUnits: 1250}}, p.fail()
}

func (p *payments) Charge(context.Context, *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	return &paymentsv1.ChargeResponse{}, p.fail()
}

// serve starts a server in memory and returns how to reach it.
func serve(p *payments) (dial []grpc.DialOption, stop func()) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	paymentsv1.RegisterPaymentsServiceServer(server, p)
	go func() { _ = server.Serve(listener) }()
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	}, server.Stop
}

// A plain grpc.ClientConn with retries. What may be retried, and how often, is in the .proto.
func Example() {
	transport, stop := serve(&payments{failures: 2})
	defer stop()

	retrier := retry.New()
	defer retrier.Close()
	cc, err := grpc.NewClient("passthrough:///payments", append(retrier.DialOptions(), transport...)...)
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()

	quote, err := paymentsv1.NewPaymentsServiceClient(cc).GetQuote(context.Background(), &paymentsv1.GetQuoteRequest{OrderId: "42"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(quote.GetPrice().GetMinorUnits(), quote.GetPrice().GetCurrency())
	// Output: 1250 EUR
}

// Charge is not idempotent, so it is not repeated, and the caller has the real error.
func ExampleError() {
	transport, stop := serve(&payments{failures: 2})
	defer stop()
	retrier := retry.New()
	defer retrier.Close()
	cc, err := grpc.NewClient("passthrough:///payments", append(retrier.DialOptions(), transport...)...)
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()

	_, err = paymentsv1.NewPaymentsServiceClient(cc).Charge(context.Background(), &paymentsv1.ChargeRequest{OrderId: "42"})
	fmt.Println(status.Code(err))
	if failed, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Println(failed.Attempts, failed.Reason, failed.Endpoints)
	}
	// Output:
	// Unavailable
	// 1 not_idempotent [bufconn]
}

// Retry and deadline together: code narrows the policy of the .proto so that no retry fits into the deadline. The call
// then returns at once with the real error, and does not wait for its deadline.
func ExampleWithPolicy() {
	transport, stop := serve(&payments{failures: 2})
	defer stop()

	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_GetQuote_FullMethodName: {
			Deadline: &policyv1.Deadline{Max: durationpb.New(time.Second)},
			Retry:    &policyv1.Retry{InitialBackoff: durationpb.New(time.Minute)},
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	retrier := retry.New(retry.WithPolicy(table))
	defer retrier.Close()
	cc, err := grpc.NewClient("passthrough:///payments", append(retrier.DialOptions(), transport...)...)
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()

	_, err = paymentsv1.NewPaymentsServiceClient(cc).GetQuote(context.Background(), &paymentsv1.GetQuoteRequest{OrderId: "42"})
	fmt.Println(err)
	// Output: rpc error: code = Unavailable desc = the disk is full (1 attempt: deadline)
}

// Any other I/O is tried again by the same rules, from the same budget.
func ExampleDo() {
	retrier := retry.New()
	defer func() { _ = retrier.Close() }()
	stock, err := retrier.Operation("read stock", retry.OperationPolicy{
		Idempotency:    policy.NoSideEffects,
		Deadline:       time.Second,
		InitialBackoff: time.Millisecond,
		Classify: func(err error) retry.Classification {
			return retry.Classification{Retryable: errors.Is(err, errLocked)}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	asked := 0
	n, err := retry.Do(context.Background(), stock, func(context.Context) (int, error) {
		if asked++; asked == 1 {
			return 0, errLocked
		}
		return 7, nil
	})
	fmt.Println(n, err, "after asking", asked, "times")
	// Output:
	// 7 <nil> after asking 2 times
}

var errLocked = errors.New("the table is locked")

// shipments is a service whose connection breaks after every second change of an order.
type shipments struct {
	ordersv1.UnimplementedOrdersServiceServer
}

func (shipments) WatchOrder(req *ordersv1.WatchOrderRequest, stream grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error {
	states := []string{"placed", "paid", "packed", "shipped", "delivered"}
	for n := req.GetAfter(); n < uint64(len(states)); n++ {
		if n == req.GetAfter()+2 {
			return status.Error(codes.Unavailable, "the connection broke")
		}
		if err := stream.Send(&ordersv1.WatchOrderResponse{Number: n + 1, Order: &ordersv1.Order{State: states[n]}}); err != nil {
			return err
		}
	}
	return nil
}

// The application says once how a stream goes on after the last message that it has seen, and then receives as if
// nothing ever broke.
func ExampleResume() {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	ordersv1.RegisterOrdersServiceServer(server, shipments{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	retrier := retry.New()
	defer func() { _ = retrier.Close() }()
	cc, err := grpc.NewClient("passthrough:///orders", append(retrier.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		log.Fatal(err)
	}
	defer cc.Close()
	orders := ordersv1.NewOrdersServiceClient(cc)

	changes, err := retry.Resume(context.Background(), func(ctx context.Context, last *ordersv1.WatchOrderResponse) (grpc.ServerStreamingClient[ordersv1.WatchOrderResponse], error) {
		return orders.WatchOrder(ctx, &ordersv1.WatchOrderRequest{Id: "42", After: last.GetNumber()})
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		change, err := changes.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.GetNumber(), change.GetOrder().GetState())
	}
	// Output:
	// 1 placed
	// 2 paid
	// 3 packed
	// 4 shipped
	// 5 delivered
}
