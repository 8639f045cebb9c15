package tracing_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/attempt"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/tracing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop answers as its functions say, and remembers what metadata came with each call.
type shop struct {
	ordersv1.UnimplementedOrdersServiceServer
	get       func(context.Context) error
	watch     func(grpc.ServerStreamingServer[ordersv1.WatchOrderResponse]) error
	imports   func(grpc.ClientStreamingServer[ordersv1.ImportOrdersRequest, ordersv1.ImportOrdersResponse]) error
	negotiate func(grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]) error

	mu       sync.Mutex
	received []metadata.MD
}

func (s *shop) note(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, md)
}

func (s *shop) headers(name string) [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var values [][]string
	for _, md := range s.received {
		values = append(values, md.Get(name))
	}
	return values
}

func (s *shop) GetOrder(ctx context.Context, _ *ordersv1.GetOrderRequest) (*ordersv1.GetOrderResponse, error) {
	s.note(ctx)
	if s.get != nil {
		if err := s.get(ctx); err != nil {
			return nil, err
		}
	}
	return &ordersv1.GetOrderResponse{}, nil
}

func (s *shop) WatchOrder(_ *ordersv1.WatchOrderRequest,
	stream grpc.ServerStreamingServer[ordersv1.WatchOrderResponse],
) error {
	s.note(stream.Context())
	return s.watch(stream)
}

func (s *shop) ImportOrders(stream grpc.ClientStreamingServer[ordersv1.ImportOrdersRequest,
	ordersv1.ImportOrdersResponse],
) error {
	s.note(stream.Context())
	return s.imports(stream)
}

func (s *shop) Negotiate(stream grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]) error {
	s.note(stream.Context())
	return s.negotiate(stream)
}

// rig is a client and a server in one bubble, with one Tracer for both.
type rig struct {
	t        *testing.T
	recorder *tracetest.SpanRecorder
	shop     *shop
	cc       *grpc.ClientConn
	orders   ordersv1.OrdersServiceClient
}

// setup says what of a rig is not as usual.
type setup struct {
	shop    *shop
	sampler sdktrace.Sampler                        // default: always
	meter   metric.MeterProvider                    // default: none
	tracer  []tracing.Option                        // further ones
	calls   []grpc.UnaryClientInterceptor           // between call and attempt
	streams []grpc.StreamClientInterceptor          // between call and attempt
	server  []grpc.ServerOption                     // further ones
	outside []grpc.UnaryServerInterceptor           // around the server span
	dialing func(*tracing.Tracer) []grpc.DialOption // instead of the usual
	target  string                                  // instead of the usual
	remote  bool                                    // connections know the address that was dialled
}

// remoteConn is a connection that knows the address that was dialled.
type remoteConn struct {
	net.Conn
	addr string
}

func (c remoteConn) RemoteAddr() net.Addr { return c }
func (remoteConn) Network() string        { return "tcp" }
func (c remoteConn) String() string       { return c.addr }

func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	if s.sampler == nil {
		s.sampler = sdktrace.AlwaysSample()
	}
	if s.shop == nil {
		s.shop = &shop{}
	}
	r := &rig{t: t, recorder: tracetest.NewSpanRecorder(), shop: s.shop}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(s.sampler), sdktrace.WithSpanProcessor(r.recorder))
	opts := []tracing.Option{tracing.WithTracerProvider(provider), tracing.WithMeterProvider(s.meter)}
	tracer := tracing.New(append(opts, s.tracer...)...)
	if err := tracer.Check(); err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer(slices.Concat([]grpc.ServerOption{grpc.ChainUnaryInterceptor(s.outside...)},
		tracer.ServerOptions(), s.server)...)
	ordersv1.RegisterOrdersServiceServer(server, s.shop)
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener := bufconn.Listen(1 << 16)
	go func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()

	between := []grpc.DialOption{grpc.WithChainUnaryInterceptor(s.calls...), grpc.WithChainStreamInterceptor(s.streams...)}
	dialing := slices.Concat(tracer.DialOptions(), between, tracer.AttemptDialOptions())
	if s.dialing != nil {
		dialing = s.dialing(tracer)
	}
	cc, err := grpc.NewClient(cmp.Or(s.target, "passthrough:///shop:8443"), append(dialing,
		grpc.WithChainUnaryInterceptor(attempt.UnaryClientInterceptor),
		grpc.WithChainStreamInterceptor(attempt.StreamClientInterceptor),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := listener.DialContext(ctx)
			if s.remote && err == nil {
				conn = remoteConn{conn, addr}
			}
			return conn, err
		}),
		grpc.WithDisableRetry())...)
	if err != nil {
		t.Fatal(err)
	}
	r.cc, r.orders = cc, ordersv1.NewOrdersServiceClient(cc)
	t.Cleanup(func() {
		_ = cc.Close() // some tests close it themselves
		server.Stop()
		synctest.Wait()
		if started, ended := len(r.recorder.Started()), len(r.recorder.Ended()); started != ended {
			t.Errorf("%d spans started, %d ended", started, ended)
		}
	})
	return r
}

// again repeats a failed call, as a retry would.
func again(attempts int) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error {
		var err error
		for number := 1; number <= attempts; number++ {
			ctx, _ := attempt.NewContext(ctx, number, false, nil)
			if err = invoker(ctx, method, req, reply, cc, opts...); err == nil {
				return nil
			}
		}
		return err
	}
}

// drain receives until the stream ends.
func drain[T any](stream grpc.ServerStreamingClient[T]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// quiet is a context whose deadline the server does not hear of, so that only the client acts at that very instant.
type quiet struct{ context.Context }

func (quiet) Deadline() (time.Time, bool) { return time.Time{}, false }

// withTimeout is context.WithTimeout with a quiet deadline.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	return quiet{ctx}, cancel
}
