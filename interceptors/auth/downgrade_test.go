package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// A server that is not Parley at all, or agrees to less than the client asked for.
func TestDowngrade(t *testing.T) {
	for name, change := range map[string]func(*tls.Config){
		"ALPN stripped":             func(c *tls.Config) { c.NextProtos = nil },
		"only h2":                   func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"another version of parley": func(c *tls.Config) { c.NextProtos = []string{"parley/2"} },
		"TLS 1.2":                   func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments")
				config := evilServerConfig(t, alpn)
				change(config)
				loot, err := w.deceive(w.identity("orders"), config, func(s evilServer) {
					_, _ = s.conn.Write(s.hello("payments", nil))
				})
				if !errors.Is(err, rpcerr.ServerProofMissing) || len(loot) != 0 {
					t.Errorf("the client says %v and lost %d bytes", err, len(loot))
				}
			})
		})
	}
}

func TestDowngradeToPlaintext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		near, far := net.Pipe()
		loot := make(chan []byte)
		go func() {
			go func() { _, _ = far.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }()
			all, _ := io.ReadAll(far)
			loot <- all
		}()
		client := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}).TransportCredentials()
		_, _, err := client.ClientHandshake(context.Background(), "payments", near)
		if !errors.Is(err, rpcerr.ServerProofMissing) {
			t.Errorf("the client says %v", err)
		}
		if b := <-loot; b[0] != 0x16 || strings.Contains(string(b), "PRI") {
			t.Errorf("something other than a TLS hello left the client: %q", b)
		}
	})
}

// A server that hands out tickets gets no client to come back with one: every connection is proven afresh.
func TestResumptionOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		orders := w.identity("orders")
		config := evilServerConfig(t, alpn)
		config.SessionTicketsDisabled = false
		for range 2 {
			_, err := w.deceive(orders, config, func(s evilServer) {
				if s.conn.ConnectionState().DidResume {
					t.Error("the client resumed a session")
				}
				_, _ = s.conn.Write(s.hello("payments", nil))
				_, _, _ = readFrame(s.conn)
				_, _ = s.conn.Write(frameOf(verdictFrame, []byte{0}))
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// A client that speaks TLS and nothing of connection mode learns nothing, not even the server's ID.
func TestClientWithoutParley(t *testing.T) {
	for name, change := range map[string]func(*tls.Config){
		"ALPN stripped":             func(c *tls.Config) { c.NextProtos = nil },
		"only h2":                   func(c *tls.Config) { c.NextProtos = []string{"h2"} },
		"another version of parley": func(c *tls.Config) { c.NextProtos = []string{"parley/2"} },
		"TLS 1.2":                   func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				gate := w.identity("payments").Server(policy.FromProto())
				config := evilClientConfig(alpn)
				change(config)
				verdict, err := w.assault(gate, config, func(c evilClient) {
					t.Errorf("the server sent its hello: %q", c.hello)
				})
				if verdict != noVerdict || err == nil {
					t.Errorf("verdict %d, error %v", verdict, err)
				}
			})
		})
	}
}

// A server hands out no tickets, so that there is no session to resume.
func TestResumptionWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders")
		gate := w.identity("payments").Server(policy.FromProto())
		cache := &countingCache{}
		for range 2 {
			config := evilClientConfig(alpn)
			config.ClientSessionCache, config.ServerName = cache, "payments"
			verdict, err := w.assault(gate, config, func(c evilClient) {
				if c.conn.ConnectionState().DidResume {
					t.Error("the session was resumed")
				}
				_, _ = c.conn.Write(c.answer("orders", nil))
			})
			if verdict != 0 || err != nil {
				t.Errorf("verdict %d, error %v", verdict, err)
			}
		}
		if cache.tickets != 0 {
			t.Errorf("the server handed out %d tickets", cache.tickets)
		}
	})
}

type countingCache struct{ tickets int }

func (c *countingCache) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

func (c *countingCache) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		c.tickets++
	}
}
