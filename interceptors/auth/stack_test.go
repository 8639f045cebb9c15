package auth_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// payments is the service that tests call. Its nil functions answer at once.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	ordersv1.UnimplementedOrdersServiceServer
	quote     func(context.Context) error
	watch     func(grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error
	negotiate func(grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]) error
}

// Negotiate is the one method of another service that tests call, because it streams both ways.
func (p payments) Negotiate(s grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]) error {
	return p.negotiate(s)
}

func (p payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	if p.quote != nil {
		if err := p.quote(ctx); err != nil {
			return nil, err
		}
	}
	return &paymentsv1.GetQuoteResponse{}, nil
}

func (p payments) WatchCharge(_ *paymentsv1.WatchChargeRequest, s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
	if p.watch != nil {
		return p.watch(s)
	}
	return s.Send(&paymentsv1.WatchChargeResponse{})
}

// server is a grpc.Server over memory.
type server struct {
	t    testing.TB
	grpc *grpc.Server
	lis  *bufconn.Listener
}

func serve(t testing.TB, impl payments, opts ...grpc.ServerOption) *server {
	t.Helper()
	s := &server{t: t, grpc: grpc.NewServer(opts...), lis: bufconn.Listen(1 << 16)}
	paymentsv1.RegisterPaymentsServiceServer(s.grpc, impl)
	ordersv1.RegisterOrdersServiceServer(s.grpc, impl)
	grpc_health_v1.RegisterHealthServer(s.grpc, health.NewServer())
	go func() {
		if err := s.grpc.Serve(s.lis); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(s.grpc.Stop)
	return s
}

func (s *server) dialer(ctx context.Context, _ string) (net.Conn, error) {
	return s.lis.DialContext(ctx)
}

// dial returns a ClientConn to whatever dialer reaches, closed at the end of the test.
func dial(t testing.TB, dialer func(context.Context, string) (net.Conn, error), opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///payments", append(opts, grpc.WithContextDialer(dialer))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func quote(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	_, err := paymentsv1.NewPaymentsServiceClient(cc).GetQuote(ctx, &paymentsv1.GetQuoteRequest{}, opts...)
	return err
}

// watch opens a stream and returns its first receive as well.
func watch(ctx context.Context, cc *grpc.ClientConn) (grpc.ServerStreamingClient[paymentsv1.WatchChargeResponse], error) {
	stream, err := paymentsv1.NewPaymentsServiceClient(cc).WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
	if err != nil {
		return nil, err
	}
	_, err = stream.Recv()
	return stream, err
}

// refused checks code and reason of an error, both as it is and as its status travels.
func refused(t testing.TB, what string, err error, code codes.Code, reason rpcerr.Reason) {
	t.Helper()
	if status.Code(err) != code || rpcerr.ReasonOf(err) != reason {
		t.Errorf("%s: got %v %q (%v), want %v %q", what, status.Code(err), rpcerr.ReasonOf(err), err, code, reason)
	}
}

// pair is payments and its caller orders, over memory, in connection mode.
type pair struct {
	w        *world
	payments *auth.Identity
	orders   *auth.Identity
	server   *server
	cc       *grpc.ClientConn
}

func newPair(t testing.TB, impl payments, opts ...auth.Option) *pair {
	t.Helper()
	w := newWorld(t)
	w.enroll("orders", "payments")
	p := &pair{w: w, payments: w.identity("payments", opts...), orders: w.identity("orders", opts...)}
	p.server = serve(t, impl, p.payments.ServerOptions(nil)...)
	p.cc = dial(t, p.server.dialer, p.orders.DialOptions(w.id("payments"))...)
	return p
}

// block holds a stream open until the client or its credential is gone, and returns why its context ended.
func block(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
	if err := s.Send(&paymentsv1.WatchChargeResponse{}); err != nil {
		return err
	}
	<-s.Context().Done()
	return context.Cause(s.Context())
}

var waitForReady = grpc.WaitForReady(true)

var errUnexpected = errors.New("the test did not expect this")
