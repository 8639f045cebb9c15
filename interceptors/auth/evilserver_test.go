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
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// evilServer is a server that "orders" reaches when it looks for "payments".
type evilServer struct {
	testing.TB
	w    *world
	conn *tls.Conn
}

// hello is frame 1 with a proof by the key of a service, over honest claims of payments that change alters.
func (s evilServer) hello(service string, change claims) []byte {
	return s.helloBy(s.w.key(service), "parley-server+jwt", change)
}

func (s evilServer) helloBy(key *jose.PrivateKey, typ string, change claims) []byte {
	return frameOf(serverHello, helloBody("", s.proof(key, typ, change)))
}

func (s evilServer) proof(key *jose.PrivateKey, typ string, change claims) string {
	return sign(s, key, typ, serverClaims(s, s.conn, s.w.id("payments").String()).with(change))
}

// deceive runs the handshake of a client that expects payments against a server that does TLS by config and then what
// script says. It returns the client's error and every byte that reached the server inside TLS, and calls returned as
// soon as the handshake is over.
func (w *world) deceive(client *auth.Identity, config *tls.Config, script func(evilServer), returned ...func()) (loot []byte, err error) {
	w.t.Helper()
	near, far := net.Pipe()
	done := make(chan []byte)
	go func() {
		defer func() { _ = far.Close() }()
		conn := tls.Server(far, config)
		if conn.HandshakeContext(w.t.Context()) != nil {
			done <- nil
			return
		}
		script(evilServer{w.t, w, conn})
		all, _ := io.ReadAll(conn)
		done <- all
	}()
	conn, _, err := client.Channel([]principal.Pattern{w.id("payments")}).TransportCredentials().ClientHandshake(w.t.Context(), "payments", near)
	for _, f := range returned {
		f()
	}
	if err == nil {
		_ = conn.Close()
	} else {
		_ = near.Close()
	}
	return <-done, err
}

func TestServerProofs(t *testing.T) {
	type script func(evilServer) []byte
	says := func(change claims) script {
		return func(s evilServer) []byte { return s.hello("payments", change) }
	}
	alter := func(change func([]byte) []byte) script {
		return func(s evilServer) []byte {
			return frameOf(serverHello, change(helloBody("", s.proof(s.w.key("payments"), "parley-server+jwt", nil))))
		}
	}
	const (
		invalid = rpcerr.ServerProofInvalid
		missing = rpcerr.ServerProofMissing
		other   = rpcerr.ServerIdentityMismatch
	)
	for name, attack := range map[string]struct {
		send script
		want rpcerr.Reason
	}{
		"64 insider signs as the expected server": {func(s evilServer) []byte { return s.hello("mallory", nil) }, invalid},
		"64 insider keeps its own name in iss": {func(s evilServer) []byte {
			return s.hello("mallory", claims{"iss": s.w.id("mallory").String()})
		}, invalid},
		"64 insider keeps its own name in sub": {func(s evilServer) []byte {
			return s.hello("mallory", claims{"sub": s.w.id("mallory").String()})
		}, invalid},
		"64 insider under its own name": {func(s evilServer) []byte {
			return s.hello("mallory", claims{"iss": s.w.id("mallory").String(), "sub": s.w.id("mallory").String()})
		}, other},
		"64 stranger with a key of its own": {func(s evilServer) []byte {
			key, err := jose.GenerateKey(jose.EdDSA)
			if err != nil {
				s.Fatal(err)
			}
			return s.helloBy(key, "parley-server+jwt", nil)
		}, invalid},
		"64 revoked key":         {func(s evilServer) []byte { return s.hello("revoked", nil) }, invalid},
		"64 expected name, bare": {says(claims{"iss": "payments", "sub": "payments"}), invalid},
		"64 name in other case":  {says(claims{"sub": "spiffe://shop.example/Payments"}), invalid},
		"64 iss missing":         {says(claims{"iss": nil}), invalid},
		"64 sub missing":         {says(claims{"sub": nil}), invalid},
		"38 client's proof":      {func(s evilServer) []byte { return s.helloBy(s.w.key("payments"), "parley-client+jwt", nil) }, invalid},
		"38 bearer token":        {func(s evilServer) []byte { return s.helloBy(s.w.key("payments"), "at+jwt", nil) }, invalid},
		"61 cb missing":          {says(claims{"cb": nil}), invalid},
		"61 cb empty":            {says(claims{"cb": ""}), invalid},
		"61 cb of nowhere":       {says(claims{"cb": strings.Repeat("A", 43)}), invalid},
		"61 cb in a list": {func(s evilServer) []byte {
			return s.hello("payments", claims{"cb": []string{cbOf(s, s.conn, "server")}})
		}, invalid},
		"38 cb of the client":    {func(s evilServer) []byte { return s.hello("payments", claims{"cb": cbOf(s, s.conn, "client")}) }, invalid},
		"22 exp missing":         {says(claims{"exp": nil}), invalid},
		"22 iat missing":         {says(claims{"iat": nil}), invalid},
		"24 exp in words":        {says(claims{"exp": "1893456000"}), invalid},
		"28 lifetime of 61 s":    {says(claims{"exp": in(61 * time.Second)}), invalid},
		"29 expired":             {says(claims{"iat": in(-60 * time.Second), "exp": in(-30 * time.Second)}), invalid},
		"30 not yet valid":       {says(claims{"iat": in(31 * time.Second), "exp": in(45 * time.Second)}), invalid},
		"30 exp before iat":      {says(claims{"exp": in(-time.Second)}), invalid},
		"64 nbf":                 {says(claims{"nbf": in(time.Hour)}), invalid},
		"64 aud":                 {says(claims{"aud": "spiffe://shop.example/orders"}), invalid},
		"64 cth without a token": {says(claims{"cth": hash(nil)}), invalid},
		"64 identity token where there is no issuer": {func(s evilServer) []byte {
			proof := s.proof(s.w.key("payments"), "parley-server+jwt", nil)
			return frameOf(serverHello, helloBody("e30.e30.e30", proof))
		}, invalid},

		"66 frame of another type":      {func(s evilServer) []byte { return append([]byte{clientHello}, s.hello("payments", nil)[1:]...) }, missing},
		"66 verdict instead of a hello": {func(evilServer) []byte { return frameOf(verdictFrame, []byte{0}) }, missing},
		"66 length 0xFFFFFF":            {func(evilServer) []byte { return []byte{serverHello, 0xff, 0xff, 0xff} }, missing},
		"66 one byte too long":          {func(evilServer) []byte { return frameOf(serverHello, make([]byte, 8193)) }, missing},
		"66 empty body":                 {func(evilServer) []byte { return frameOf(serverHello, nil) }, missing},
		"66 bytes after the proof":      {alter(func(b []byte) []byte { return append(b, 0) }), missing},
		"66 proof cut off":              {alter(func(b []byte) []byte { return b[:len(b)-1] }), missing},
		"66 no proof":                   {func(evilServer) []byte { return frameOf(serverHello, helloBody("", "")) }, missing},
		"66 HTTP/2 settings":            {func(evilServer) []byte { return []byte{0, 0, 0, 4, 0, 0, 0, 0, 0} }, missing},
		"66 HTTP/1 answer":              {func(evilServer) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, missing},
		"44 padding in the proof": {func(s evilServer) []byte {
			return frameOf(serverHello, helloBody("", s.proof(s.w.key("payments"), "parley-server+jwt", nil)+"="))
		}, invalid},
		"46 proof of nothing but letters": {func(evilServer) []byte { return frameOf(serverHello, helloBody("", "proof")) }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments", "mallory", "revoked")
				w.revoke("revoked")
				loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
					_, _ = s.conn.Write(attack.send(s))
				})
				if !errors.Is(err, attack.want) {
					t.Errorf("the client says %v, want %s", err, attack.want)
				}
				if len(loot) != 0 {
					t.Errorf("the unproven server received %d bytes: %q", len(loot), loot)
				}
			})
		})
	}
}

// Nobody may be expected, and then nobody is called.
func TestEmptyExpectedSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		orders := w.identity("orders")
		for name, expected := range map[string][]principal.Pattern{
			"empty": nil, "no ID": {principal.ID{}}, "nil": {nil}, "foreign": {w.id("spiffe://other.example/payments")},
		} {
			channel := orders.Channel(expected)
			if err := channel.Check(); err == nil || !strings.Contains(err.Error(), "expected") {
				t.Errorf("%s: Check says %v", name, err)
			}
			near, far := net.Pipe()
			read := make(chan int)
			go func() { n, _ := far.Read(make([]byte, 1)); read <- n }()
			_, _, err := channel.TransportCredentials().ClientHandshake(context.Background(), "payments", near)
			if !errors.Is(err, rpcerr.ConfigurationInvalid) {
				t.Errorf("%s: the handshake says %v", name, err)
			}
			if n := <-read; n != 0 {
				t.Errorf("%s: a byte left the client", name)
			}
		}
	})
}
