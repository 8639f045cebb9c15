package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// Half-open connections, any number of them, keep no honest client out: the oldest make room.
func TestFloodOfHalfOpenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		s := serve(t, payments{watch: block}, w.identity("payments").ServerOptions(nil, auth.WithMaxHandshakes(8))...)
		orders := w.identity("orders")
		live := dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)
		stream, err := watch(t.Context(), live)
		if err != nil {
			t.Fatal(err)
		}

		start := time.Now()
		closed := make(chan time.Duration, 100)
		for range 100 {
			conn, err := s.lis.DialContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				closed <- time.Since(start)
			}()
			synctest.Wait()
		}
		if n := len(closed); n != 92 {
			t.Errorf("%d of 100 connections made room for others, want 92", n)
		}
		if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)); err != nil {
			t.Errorf("an honest client in the flood: %v", err)
		}
		synctest.Wait()
		if n := len(closed); n != 93 {
			t.Errorf("%d connections were closed for the honest client, want 1", n-92)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(closed); n != 100 {
			t.Errorf("%d connections are still half open after 10 s", 100-n)
		}
		if err := stream.Context().Err(); err != nil {
			t.Errorf("the flood ended a live connection: %v", err)
		}
	})
}

// A server that drains does not wait for those who have not come in yet, however far they got, and takes no more in.
func TestDrainClosesHandshakes(t *testing.T) {
	for name, script := range map[string]func(net.Conn, *world){
		"before TLS": func(net.Conn, *world) {},
		"before the answer": func(raw net.Conn, _ *world) {
			conn := tls.Client(raw, evilClientConfig(alpn))
			_ = conn.HandshakeContext(context.Background())
			_, _, _ = readFrame(conn)
		},
		"before the HTTP/2 preface": func(raw net.Conn, w *world) {
			conn := tls.Client(raw, evilClientConfig(alpn))
			_ = conn.HandshakeContext(context.Background())
			_, hello, _ := readFrame(conn)
			_, _ = conn.Write(evilClient{w.t, w, conn, hello}.answer("orders", nil))
			_, _, _ = readFrame(conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				gate := w.identity("payments").Server(nil)
				s := serve(t, payments{}, gate.ServerOptions()...)
				cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
				if err := quote(t.Context(), cc); err != nil {
					t.Fatal(err)
				}
				conn, err := s.lis.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				script(conn, w)

				start := time.Now()
				gate.CloseHandshakes()
				if err := quote(t.Context(), cc); err != nil {
					t.Errorf("a call on a connection that was in: %v", err)
				}
				late := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
				refused(t, "a connection that came late", quote(t.Context(), late), codes.Unavailable, "")
				s.grpc.GracefulStop()
				if took := time.Since(start); took != 0 {
					t.Errorf("the stop took %v", took)
				}
			})
		})
	}
}

// The signature check is a bounded resource. Who does not get a turn in time is told so, and may come again.
func TestOverload49(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(nil)
		s := serve(t, payments{}, gate.ServerOptions()...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		release := auth.HoldTurnstile(gate)
		start := time.Now()
		ctx := withBearer(t.Context(), mint(t, w, "orders", nil))
		refused(t, "a token that found no turn", quote(ctx, cc), codes.ResourceExhausted, rpcerr.AuthOverloaded)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("it waited for %v", waited)
		}
		release()
		if err := quote(ctx, cc); err != nil {
			t.Errorf("after the overload: %v", err)
		}

		verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
			release = auth.HoldTurnstile(gate)
			_, _ = c.conn.Write(c.answer("orders", nil))
		})
		if verdict != 5 || !errors.Is(err, rpcerr.AuthOverloaded) {
			t.Errorf("a client that found no turn: verdict %d, error %v", verdict, err)
		}
		release()
	})
}
