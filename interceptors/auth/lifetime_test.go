package auth_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// A stream ends with the connection that proved its caller: 5 seconds before 30 minutes are over, with a status.
func TestStreamEndsWithItsConnection63(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := make(chan error, 1)
		p := newPair(t, payments{watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			err := block(s)
			cause <- err
			return err
		}})
		start := time.Now()
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if lived := time.Since(start); lived != 30*time.Minute-5*time.Second {
			t.Errorf("the stream lived %v", lived)
		}
		if err := <-cause; !errors.Is(err, rpcerr.CredentialsExpired) {
			t.Errorf("the handler's context ended because of %v", err)
		}
		if err := quote(t.Context(), p.cc); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

// A handler that waits for a message is woken, and so is one that waits to send one.
func TestBlockedHandlersAreWoken63(t *testing.T) {
	type stream = grpc.BidiStreamingServer[ordersv1.NegotiateRequest, ordersv1.NegotiateResponse]
	for name, wait := range map[string]func(stream) error{
		"in Recv": func(s stream) error {
			for {
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
		},
		"in Send": func(s stream) error {
			for {
				if err := s.Send(&ordersv1.NegotiateResponse{MinorUnits: 1 << 50}); err != nil {
					return err
				}
			}
		},
		"in a panic when they wake": func(s stream) error {
			_, err := s.Recv()
			panic(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := make(chan time.Time, 1)
				p := newPair(t, payments{negotiate: func(s stream) error {
					defer func() { done <- time.Now() }()
					return wait(s)
				}}, auth.WithMaxConnectionAge(time.Minute))
				start := time.Now()
				if _, err := ordersv1.NewOrdersServiceClient(p.cc).Negotiate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if woken := (<-done).Sub(start); woken != 55*time.Second {
					t.Errorf("the handler was woken after %v", woken)
				}
			})
		})
	}
}

// Calls never notice that connections end: a GOAWAY comes first, and the new connection is proven anew.
func TestCallsMoveToANewConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{}, auth.WithMaxConnectionAge(time.Minute))
		var expires []time.Time
		for range 300 {
			var reached peer.Peer
			if err := quote(t.Context(), p.cc, grpc.Peer(&reached)); err != nil {
				t.Fatal(err)
			}
			if other, _ := principal.PeerOf(&reached); len(expires) == 0 || other.Expires != expires[len(expires)-1] {
				expires = append(expires, other.Expires)
			}
			time.Sleep(time.Second)
		}
		if n := len(expires); n < 5 || n > 8 {
			t.Errorf("%d connections in 5 minutes", n)
		}
	})
}

// Without the GOAWAY of TransportOptions a call may meet a connection in its last seconds. It is told to take another.
func TestCallOnAnEndedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(nil)
		s := serve(t, payments{}, grpc.Creds(gate.TransportCredentials()),
			grpc.UnaryInterceptor(gate.UnaryServerInterceptor), grpc.StreamInterceptor(gate.StreamServerInterceptor))
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*time.Minute - 5*time.Second)
		var trailer metadata.MD
		err := quote(t.Context(), cc, grpc.Trailer(&trailer))
		refused(t, "call in the last seconds", err, codes.Unavailable, rpcerr.ConnectionExpired)
		if !rpcerr.Unprocessed(trailer) {
			t.Errorf("the trailer %v does not say that the handler never ran", trailer)
		}
		_, err = watch(t.Context(), cc)
		refused(t, "stream in the last seconds", err, codes.Unavailable, rpcerr.ConnectionExpired)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if err := quote(t.Context(), cc); err != nil {
			t.Errorf("call after the end: %v", err)
		}
	})
}
