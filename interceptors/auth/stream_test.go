package auth_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

type watching = grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]

// A panic of a streaming handler arrives at the interceptors in front of auth, with the stack of the handler.
func TestPanicOfAStreamingHandler(t *testing.T) {
	cause := errors.New("the till is open")
	for name, test := range map[string]struct {
		handler func(watching) error
		want    string
		wraps   error
	}{
		"panic":          {func(watching) error { panic("no money") }, "no money", nil},
		"panic by error": {func(watching) error { panic(cause) }, "the till is open", cause},
		"nil panic":      {func(watching) error { panic(nil) }, "nil", nil},
		"Goexit":         {func(watching) error { runtime.Goexit(); return nil }, "Goexit", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				recovered := make(chan any, 1)
				recovery := func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
					defer func() {
						r := recover()
						recovered <- r
						err = status.Error(codes.Internal, "recovered")
					}()
					return h(srv, s)
				}
				gate := w.identity("payments").Server(nil)
				s := serve(t, payments{watch: test.handler}, append([]grpc.ServerOption{grpc.ChainStreamInterceptor(recovery)}, gate.ServerOptions()...)...)
				_, err := watch(t.Context(), dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...))
				if status.Code(err) != codes.Internal {
					t.Errorf("the caller sees %v", err)
				}
				r := <-recovered
				if text := fmt.Sprint(r); !strings.Contains(text, test.want) || name != "Goexit" && !strings.Contains(text, "TestPanicOfAStreamingHandler") {
					t.Errorf("recovered %q", text)
				}
				if err, ok := r.(error); test.wraps != nil && (!ok || !errors.Is(err, test.wraps)) {
					t.Errorf("recovered %T does not wrap the handler's error", r)
				}
			})
		})
	}
}

// A panic after the stream was ended has nobody above it. It is logged and ends nothing else.
func TestLatePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: func(s watching) error {
			_ = block(s)
			time.Sleep(time.Second)
			panic("too late")
		}}, auth.WithMaxConnectionAge(time.Minute))
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		time.Sleep(2 * time.Second)
		if log := p.w.log.String(); !strings.Contains(log, "a handler panicked after the end of its stream") || !strings.Contains(log, "too late") {
			t.Error("the panic is not in the log")
		}
	})
}

// The end of a handler is the end of the stream: errors and headers pass unchanged.
func TestHandlersErrorPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: func(watching) error { return status.Error(codes.DataLoss, "gone") }})
		_, err := watch(t.Context(), p.cc)
		if st := status.Convert(err); st.Code() != codes.DataLoss || st.Message() != "gone" {
			t.Error(err)
		}
	})
}
