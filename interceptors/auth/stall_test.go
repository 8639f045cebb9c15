package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// A client that stalls, wherever it stalls, is gone after 10 seconds.
func TestStallingClients66(t *testing.T) {
	drip := func(w io.Writer, b []byte) {
		for i := range b {
			if _, err := w.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	handshake := func(raw net.Conn, script func(evilClient), w *world) {
		conn := tls.Client(raw, evilClientConfig(alpn))
		if conn.HandshakeContext(context.Background()) != nil {
			return
		}
		if _, hello, err := readFrame(conn); err == nil {
			script(evilClient{w.t, w, conn, hello})
		}
	}
	welcome := func(c evilClient) {
		_, _ = c.conn.Write(c.answer("orders", nil))
		_, _, _ = readFrame(c.conn)
		go func() { _, _ = io.Copy(io.Discard, c.conn) }()
	}
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for name, script := range map[string]func(net.Conn, *world){
		"says nothing":     func(net.Conn, *world) {},
		"one byte of TLS":  func(raw net.Conn, _ *world) { _, _ = raw.Write([]byte{0x16}) },
		"TLS byte by byte": func(raw net.Conn, _ *world) { drip(raw, []byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 1}) },
		"reads no hello": func(raw net.Conn, _ *world) {
			_ = tls.Client(raw, evilClientConfig(alpn)).HandshakeContext(context.Background())
		},
		"answers nothing": func(raw net.Conn, w *world) { handshake(raw, func(evilClient) {}, w) },
		"half of an answer": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { _, _ = c.conn.Write(c.answer("orders", nil)[:50]) }, w)
		},
		"answer byte by byte": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { drip(c.conn, c.answer("orders", nil)) }, w)
		},
		"reads no verdict": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { _, _ = c.conn.Write(c.answer("orders", nil)) }, w)
		},
		"no HTTP/2 preface": func(raw net.Conn, w *world) { handshake(raw, welcome, w) },
		"half of an HTTP/2 preface": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { welcome(c); _, _ = c.conn.Write([]byte(preface[:10])) }, w)
		},
		"no HTTP/2 settings": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { welcome(c); _, _ = c.conn.Write([]byte(preface)) }, w)
		},
		"half of HTTP/2 settings": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) { welcome(c); _, _ = c.conn.Write([]byte(preface + "\x00\x00\x06\x04")) }, w)
		},
		"a settings frame too large": func(raw net.Conn, w *world) {
			handshake(raw, func(c evilClient) {
				welcome(c)
				_, _ = c.conn.Write([]byte(preface + "\x00\x40\x00\x04\x00\x00\x00\x00\x00"))
			}, w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				s := serve(t, payments{}, w.identity("payments").ServerOptions(policy.FromProto())...)
				start := time.Now()
				conn, err := s.lis.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				script(conn, w)
				for err == nil { // until the server has closed the connection
					_, err = conn.Read(make([]byte, 512))
				}
				// A script that sends byte by byte notices the end with its next byte.
				if lived := time.Since(start); lived > 11*time.Second || lived > 10*time.Second && !strings.Contains(name, "byte by byte") {
					t.Errorf("the connection lived for %v", lived)
				}
			})
		})
	}
}

// A server that stalls holds a client up for 10 seconds, all steps together.
func TestStallingServers66(t *testing.T) {
	for name, script := range map[string]func(evilServer){
		"says nothing":    func(evilServer) {},
		"half of a hello": func(s evilServer) { _, _ = s.conn.Write(s.hello("payments", nil)[:50]) },
		"hello in a drip": func(s evilServer) {
			for _, b := range s.hello("payments", nil) {
				if _, err := s.conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
		"reads no answer": func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			time.Sleep(time.Minute)
		},
		"no verdict": func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			_, _, _ = readFrame(s.conn)
		},
		"half of a verdict": func(s evilServer) {
			_, _ = s.conn.Write(s.hello("payments", nil))
			_, _, _ = readFrame(s.conn)
			_, _ = s.conn.Write([]byte{verdictFrame, 0, 0, 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments")
				orders := w.identity("orders")
				start := time.Now()
				loot, err := w.deceive(orders, evilServerConfig(t, alpn), script, func() {
					if took := time.Since(start); took != 10*time.Second {
						t.Errorf("the client was held up for %v", took)
					}
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the client says %v", err)
				}
				if len(loot) != 0 && name != "reads no answer" {
					t.Errorf("the server received %d bytes", len(loot))
				}
			})
		})
	}
}

// A server that welcomes the client and then never speaks HTTP/2 is left after 10 seconds, too.
func TestStallingServerAfterTheWelcome66(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		near, far := net.Pipe()
		go func() {
			conn := tls.Server(far, evilServerConfig(t, alpn))
			_ = conn.HandshakeContext(context.Background())
			s := evilServer{t, w, conn}
			_, _ = conn.Write(s.hello("payments", nil))
			_, _, _ = readFrame(conn)
			_, _ = conn.Write(frameOf(verdictFrame, []byte{0}))
			_, _ = conn.Write([]byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 1}) // settings that are cut off
		}()
		start := time.Now()
		conn, _, err := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}).TransportCredentials().ClientHandshake(t.Context(), "payments", near)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = conn.Read(make([]byte, 16))
		}
		if took := time.Since(start); took != 10*time.Second || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: %v", took, err)
		}
		_ = conn.Close()
		_ = far.Close()
	})
}
