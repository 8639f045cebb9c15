package framework

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

type exitingStreams struct {
	paymentsv1.UnimplementedPaymentsServiceServer
}

func (exitingStreams) WatchCharge(
	*paymentsv1.WatchChargeRequest, grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	runtime.Goexit()
	return nil
}

// Without authentication, a stream runs on gRPC's goroutine, as a call does.
func TestStreamThatEndsItsGoroutineWithoutAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &App{}
		app.parts.logger = slog.New(slog.DiscardHandler)
		server := grpc.NewServer(grpc.StreamInterceptor(app.answerStreamExit))
		paymentsv1.RegisterPaymentsServiceServer(server, exitingStreams{})
		listener := bufconn.Listen(1 << 16)
		go func() { _ = server.Serve(listener) }()
		defer server.Stop()
		dial := func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
		conn, err := grpc.NewClient("passthrough:///payments", grpc.WithContextDialer(dial),
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stream, err := paymentsv1.NewPaymentsServiceClient(conn).WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Internal {
			t.Errorf("WatchCharge = %v, want INTERNAL", err)
		}
	})
}
