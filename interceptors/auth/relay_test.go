package auth_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// A relay ends TLS on both sides and passes every frame on unchanged. The client finds the server's proof bound to
// another connection, and nothing of a request ever reaches the relay.
func TestAttack65Relay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders")
		gate := w.identity("payments").Server(policy.FromProto())

		toServer, server := net.Pipe()
		served := make(chan error)
		go func() {
			_, _, err := gate.TransportCredentials().ServerHandshake(server)
			served <- err
		}()
		loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
			upstream := tls.Client(toServer, evilClientConfig(alpn))
			kind, hello, err := readFrame(upstream)
			if err != nil {
				t.Error(err)
			}
			_, _ = s.conn.Write(frameOf(kind, hello))
		})
		if !errors.Is(err, rpcerr.ServerProofInvalid) {
			t.Errorf("the client says %v", err)
		}
		if len(loot) != 0 {
			t.Errorf("the relay read %d bytes: %q", len(loot), loot)
		}
		_ = toServer.Close()
		if err := <-served; err == nil {
			t.Error("the server took the relay in")
		}
	})
}

// A client's relay: an evil server that orders may call answers with its own, good proof, and passes the proof of
// orders on to payments.
func TestAttack65RelayOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(policy.FromProto())
		var stolen []byte
		if _, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			_, stolen, _ = readFrame(s.conn)
			_ = s.conn.Close()
		}); err == nil {
			t.Error("the client was welcomed by nobody")
		}
		verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
			_, _ = c.conn.Write(frameOf(clientHello, stolen))
		})
		if verdict != 1 || !errors.Is(err, rpcerr.CredentialsInvalid) {
			t.Errorf("verdict %d, error %v", verdict, err)
		}
	})
}

// Frames of an earlier connection between the same two are worth nothing on the next.
func TestReplay61(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders")
		gate := w.identity("payments").Server(policy.FromProto())
		var hello, answer []byte
		if verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
			hello, answer = frameOf(serverHello, c.hello), c.answer("orders", nil)
			_, _ = c.conn.Write(answer)
		}); verdict != 0 || err != nil {
			t.Fatalf("verdict %d, error %v", verdict, err)
		}
		verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) { _, _ = c.conn.Write(answer) })
		if verdict != 1 || !errors.Is(err, rpcerr.CredentialsInvalid) {
			t.Errorf("the client's frame again: verdict %d, error %v", verdict, err)
		}
		loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) { _, _ = s.conn.Write(hello) })
		if !errors.Is(err, rpcerr.ServerProofInvalid) || len(loot) != 0 {
			t.Errorf("the server's frame again: error %v, %d bytes lost", err, len(loot))
		}
	})
}

// Two connections of the same server are crossed: each client gets the hello that was meant for the other.
func TestCrossedConnections61(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		orders := w.identity("orders")
		gate := w.identity("payments").Server(policy.FromProto())
		hellos := make(chan []byte, 2)
		for range 2 {
			_, _ = w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
				hellos <- frameOf(serverHello, c.hello)
				_ = c.conn.Close()
			})
		}
		for range 2 {
			loot, err := w.deceive(orders, evilServerConfig(t, alpn), func(s evilServer) { _, _ = s.conn.Write(<-hellos) })
			if !errors.Is(err, rpcerr.ServerProofInvalid) || len(loot) != 0 {
				t.Errorf("error %v, %d bytes lost", err, len(loot))
			}
		}
	})
}

// What the client sends in TLS to a proven server, before it is welcome, is one frame and nothing else.
func TestNothingBeforeTheWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			if kind, _, err := readFrame(s.conn); kind != clientHello || err != nil {
				t.Errorf("frame %d, error %v", kind, err)
			}
		})
		if err == nil || errors.Is(err, io.EOF) || len(loot) != 0 {
			t.Errorf("error %v, %d bytes", err, len(loot))
		}
	})
}
