package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// A stream ends with the connection that proved its caller: 5 seconds before 30 minutes are over, with a status that is
// no refusal. Its handler sees the end coming minutes before.
func TestStreamEndsWithItsConnection63(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := make(chan error, 1)
		coming, by := make(chan time.Duration, 1), make(chan time.Duration, 1)
		start := time.Now()
		p := newPair(t, payments{watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			ending := plannedend.FromContext(s.Context())
			go func() {
				<-ending.Coming()
				coming <- time.Since(start)
				by <- ending.By().Sub(start)
			}()
			err := block(s)
			cause <- err
			return err
		}})
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
		if at := <-coming; at < 24*time.Minute || at > 26*time.Minute+24*time.Second {
			t.Errorf("the handler saw the end coming after %v, want 24m..26m24s", at)
		}
		if at := <-by; at != 30*time.Minute-5*time.Second {
			t.Errorf("the end was announced for %v, want 29m55s", at)
		}
		if log := p.w.log.String(); strings.Contains(log, "refused") {
			t.Errorf("a planned end is logged as a refusal: %s", log)
		}
		if lived := time.Since(start); lived != 30*time.Minute-5*time.Second {
			t.Errorf("the stream lived %v", lived)
		}
		if err := <-cause; !errors.Is(err, rpcerr.PlannedEnd) {
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

// Both ends leave a connection in time also without the GOAWAY of TransportOptions, and though nothing is said on it.
func TestAQuietConnectionIsLeftBeforeItEnds(t *testing.T) {
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
		if err := quote(t.Context(), cc); err != nil {
			t.Errorf("call in the last seconds: %v", err)
		}
		if _, err := watch(t.Context(), cc); err != nil {
			t.Errorf("stream in the last seconds: %v", err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if err := quote(t.Context(), cc); err != nil {
			t.Errorf("call after the end: %v", err)
		}
	})
}

// Whoever of two knows of an earlier end leaves before it, however long the other end would stay. No call fails.
func TestEndsThatKnowOtherAges(t *testing.T) {
	for name, age := range map[string]struct{ server, client time.Duration }{
		"the client ends first": {30 * time.Minute, 5 * time.Minute},
		"the server ends first": {5 * time.Minute, 30 * time.Minute},
		"both":                  {5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				gate := w.identity("payments", auth.WithMaxConnectionAge(age.server)).Server(nil)
				s := serve(t, payments{quote: func(ctx context.Context) error {
					select {
					case <-time.After(400 * time.Millisecond):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}}, gate.ServerOptions()...)
				orders := w.identity("orders", auth.WithMaxConnectionAge(age.client))
				cc := dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)
				for start := time.Now(); time.Since(start) < 21*time.Minute; time.Sleep(100 * time.Millisecond) {
					at := time.Since(start)
					if err := quote(t.Context(), cc); err != nil {
						t.Fatalf("a call begun after %v: %v", at, err)
					}
				}
			})
		})
	}
}

// A stream that no end can carry on says so in the same way, whichever end has to close the connection.
func TestStreamsEndAsPlannedAtEitherEnd(t *testing.T) {
	for name, test := range map[string]struct{ server, client, want time.Duration }{
		"the client ends first": {30 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		"the server ends first": {5 * time.Minute, 30 * time.Minute, 5*time.Minute - 5*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				gate := w.identity("payments", auth.WithMaxConnectionAge(test.server)).Server(nil)
				s := serve(t, payments{watch: block}, gate.ServerOptions()...)
				orders := w.identity("orders", auth.WithMaxConnectionAge(test.client))
				cc := dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)
				start := time.Now()
				stream, err := watch(t.Context(), cc)
				if err != nil {
					t.Fatal(err)
				}
				_, err = stream.Recv()
				refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
				if lived := time.Since(start); lived != test.want {
					t.Errorf("the stream lived %v, want %v", lived, test.want)
				}
			})
		})
	}
}

// A server that stops tells the handlers of streams, of proven callers and of others, and ends the streams when their
// time is over.
func TestStreamsEndWithTheirServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ending := plannedend.New()
		w := newWorld(t)
		w.enroll("orders", "payments")
		handlers := make(chan time.Time, 1)
		gate := w.identity("payments").Server(nil, auth.WithPlannedEnd(ending))
		s := serve(t, payments{watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			handlers <- plannedend.FromContext(s.Context()).By()
			return block(s)
		}}, gate.ServerOptions()...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		by := time.Now().Add(time.Second)
		ending.Announce(by)
		time.AfterFunc(time.Second, ending.End)
		stream, err := watch(t.Context(), cc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
		if told := <-handlers; !told.Equal(by) || !time.Now().Equal(by) {
			t.Errorf("told of %v and ended at %v, want %v", told, time.Now(), by)
		}
	})
}

// A key that is replaced takes its connections along, both as client and as server, and no call fails: when the old key
// is withdrawn nothing rests on it.
func TestARenewedKeyLeavesItsConnections(t *testing.T) {
	for _, service := range []string{"orders", "payments"} {
		t.Run(service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(
					t,
					payments{quote: func(context.Context) error { time.Sleep(400 * time.Millisecond); return nil }, watch: block},
				)
				if err := quote(t.Context(), p.cc); err != nil {
					t.Fatal(err)
				}
				stream, err := watch(t.Context(), p.cc)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				old := p.w.key(service)
				p.w.replaceKey(service)
				ended := make(chan time.Duration, 1)
				go func() {
					_, err := stream.Recv()
					refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
					ended <- time.Since(start)
				}()
				for time.Since(start) < 2*time.Minute {
					if err := quote(t.Context(), p.cc); err != nil {
						t.Fatalf("a call that ended after %v: %v", time.Since(start), err)
					}
				}
				if lived := <-ended; lived > time.Minute+4*time.Second {
					t.Errorf("the stream lived %v on the old key", lived)
				}
				revoked := filepath.Join(p.w.dir, "revoked")
				if err := os.MkdirAll(revoked, 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(revoked, old.Public().Thumbprint()), "")
				for range 20 {
					if err := quote(t.Context(), p.cc); err != nil {
						t.Fatalf("after the old key was withdrawn: %v", err)
					}
				}
			})
		})
	}
}
