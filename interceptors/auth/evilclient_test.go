package auth_test

import (
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
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// evilClient is a client of "payments" that got past TLS and has the server's hello.
type evilClient struct {
	testing.TB
	w     *world
	conn  *tls.Conn
	hello []byte
}

// answer is frame 2 with a proof by the key of a service, over honest claims of orders that change alters.
func (c evilClient) answer(service string, change claims) []byte {
	return c.answerBy(c.w.key(service), "parley-client+jwt", change)
}

func (c evilClient) answerBy(key *jose.PrivateKey, typ string, change claims) []byte {
	return frameOf(clientHello, helloBody("", c.proof(key, typ, change)))
}

func (c evilClient) proof(key *jose.PrivateKey, typ string, change claims) string {
	honest := clientClaims(c, c.conn, c.w.id("orders").String(), c.w.id("payments").String(), c.hello)
	return sign(c, key, typ, honest.with(change))
}

// noVerdict stands for a connection that was closed without one.
const noVerdict = -1

// assault runs the handshake of a server against a client that does TLS by config and then what script says. It returns
// the server's verdict and its error.
func (w *world) assault(gate *auth.Gate, config *tls.Config, script func(evilClient)) (verdict int, err error) {
	w.t.Helper()
	near, far := net.Pipe()
	done := make(chan error)
	go func() {
		conn, _, err := gate.TransportCredentials().ServerHandshake(near)
		if err == nil {
			_ = conn.Close()
		}
		done <- err
	}()
	verdict = noVerdict
	conn := tls.Client(far, config)
	if err := conn.HandshakeContext(w.t.Context()); err == nil {
		if _, hello, err := readFrame(conn); err == nil {
			script(evilClient{w.t, w, conn, hello})
			if kind, body, err := readFrame(conn); err == nil && kind == verdictFrame && len(body) == 1 {
				verdict = int(body[0])
			}
		}
	}
	_ = far.Close()
	return verdict, <-done
}

func TestClientProofs(t *testing.T) {
	type script func(evilClient) []byte
	says := func(change claims) script {
		return func(c evilClient) []byte { return c.answer("orders", change) }
	}
	alter := func(change func([]byte) []byte) script {
		return func(c evilClient) []byte {
			return frameOf(clientHello, change(helloBody("", c.proof(c.w.key("orders"), "parley-client+jwt", nil))))
		}
	}
	const (
		invalid = rpcerr.CredentialsInvalid
		expired = rpcerr.CredentialsExpired
		early   = rpcerr.CredentialsNotYetValid
	)
	for name, attack := range map[string]struct {
		send    script
		want    rpcerr.Reason
		verdict int
	}{
		"0 honest client":                {says(nil), "", 0},
		"29 honest client, 29 s behind":  {says(claims{"iat": in(-59 * time.Second), "exp": in(-29 * time.Second)}), "", 0},
		"30 honest client, 30 s ahead":   {says(claims{"iat": in(30 * time.Second), "exp": in(90 * time.Second)}), "", 0},
		"64 insider signs as another ID": {func(c evilClient) []byte { return c.answer("mallory", nil) }, invalid, 1},
		"64 insider keeps its own name in iss": {func(c evilClient) []byte {
			return c.answer("mallory", claims{"iss": c.w.id("mallory").String()})
		}, invalid, 1},
		"64 insider keeps its own name in sub": {func(c evilClient) []byte {
			return c.answer("mallory", claims{"sub": c.w.id("mallory").String()})
		}, invalid, 1},
		"64 stranger with a key of its own": {func(c evilClient) []byte {
			key, err := jose.GenerateKey(jose.EdDSA)
			if err != nil {
				c.Fatal(err)
			}
			return c.answerBy(key, "parley-client+jwt", nil)
		}, invalid, 1},
		"64 revoked key": {func(c evilClient) []byte { return c.answer("revoked", nil) }, invalid, 1},
		"64 foreign trust domain": {func(c evilClient) []byte {
			foreign := "spiffe://other.example/orders"
			return c.answer(foreign, claims{"iss": foreign, "sub": foreign})
		}, invalid, 1},
		"64 iss missing":                {says(claims{"iss": nil}), invalid, 1},
		"64 sub missing":                {says(claims{"sub": nil}), invalid, 1},
		"38 server's proof":             {func(c evilClient) []byte { return c.answerBy(c.w.key("orders"), "parley-server+jwt", nil) }, invalid, 1},
		"38 bearer token":               {func(c evilClient) []byte { return c.answerBy(c.w.key("orders"), "at+jwt", nil) }, invalid, 1},
		"38 the server's hello, echoed": {func(c evilClient) []byte { return frameOf(clientHello, c.hello) }, invalid, 1},
		"38 cb of the server":           {func(c evilClient) []byte { return c.answer("orders", claims{"cb": cbOf(c, c.conn, "server")}) }, invalid, 1},
		"61 cb missing":                 {says(claims{"cb": nil}), invalid, 1},
		"61 cb of nowhere":              {says(claims{"cb": strings.Repeat("A", 43)}), invalid, 1},
		"39 aud missing":                {says(claims{"aud": nil}), invalid, 1},
		"39 aud of another server":      {says(claims{"aud": "spiffe://shop.example/ledger"}), invalid, 1},
		"31 aud in a list":              {says(claims{"aud": []string{"spiffe://shop.example/payments"}}), invalid, 1},
		"32 aud in other case":          {says(claims{"aud": "spiffe://shop.example/Payments"}), invalid, 1},
		"32 aud with a slash behind":    {says(claims{"aud": "spiffe://shop.example/payments/"}), invalid, 1},
		"64 sph missing":                {says(claims{"sph": nil}), invalid, 1},
		"64 sph of another hello":       {says(claims{"sph": hash([]byte("another"))}), invalid, 1},
		"64 sph of the whole frame":     {func(c evilClient) []byte { return c.answer("orders", claims{"sph": hash(frameOf(1, c.hello))}) }, invalid, 1},
		"64 cth without a token":        {says(claims{"cth": hash(nil)}), invalid, 1},
		"64 jti":                        {says(claims{"jti": "1"}), invalid, 1},
		"22 exp missing":                {says(claims{"exp": nil}), invalid, 1},
		"22 iat missing":                {says(claims{"iat": nil}), invalid, 1},
		"27 exp with a fraction":        {says(claims{"exp": inHalf(30 * time.Second)}), "", 0},
		"28 lifetime of 61 s":           {says(claims{"exp": in(61 * time.Second)}), invalid, 1},
		"29 expired":                    {says(claims{"iat": in(-60 * time.Second), "exp": in(-30 * time.Second)}), expired, 2},
		"29 expired, by a stranger": {func(c evilClient) []byte {
			return c.answer("mallory", claims{"iat": in(-60 * time.Second), "exp": in(-30 * time.Second)})
		}, invalid, 1},
		"29 expired, for another connection": {says(claims{
			"cb": strings.Repeat("A", 43), "iat": in(-60 * time.Second), "exp": in(-30 * time.Second),
		}), invalid, 1},
		"30 not yet valid": {says(claims{"iat": in(31 * time.Second), "exp": in(45 * time.Second)}), early, 3},
		"64 identity token where there is no issuer": {func(c evilClient) []byte {
			return frameOf(clientHello, helloBody("e30.e30.e30", c.proof(c.w.key("orders"), "parley-client+jwt", nil)))
		}, invalid, 1},

		"66 frame of another type":           {func(c evilClient) []byte { return append([]byte{serverHello}, c.answer("orders", nil)[1:]...) }, invalid, 1},
		"66 a verdict of its own":            {func(evilClient) []byte { return frameOf(verdictFrame, []byte{0}) }, invalid, 1},
		"66 length 0xFFFFFF":                 {func(evilClient) []byte { return []byte{clientHello, 0xff, 0xff, 0xff} }, invalid, 1},
		"66 empty body":                      {func(evilClient) []byte { return frameOf(clientHello, nil) }, invalid, 1},
		"66 bytes after the proof":           {alter(func(b []byte) []byte { return append(b, 0) }), invalid, 1},
		"66 proof cut off":                   {alter(func(b []byte) []byte { return b[:len(b)-1] }), invalid, 1},
		"66 HTTP/2 preface instead of hello": {func(evilClient) []byte { return []byte("PRI ") }, invalid, 1},
		"46 proof of nothing but letters":    {func(evilClient) []byte { return frameOf(clientHello, helloBody("", "proof")) }, invalid, 1},
		"44 padding in the proof": {func(c evilClient) []byte {
			return frameOf(clientHello, helloBody("", c.proof(c.w.key("orders"), "parley-client+jwt", nil)+"="))
		}, invalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "mallory", "revoked", "spiffe://other.example/orders")
				w.revoke("revoked")
				gate := w.identity("payments").Server(policy.FromProto())
				verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
					_, _ = c.conn.Write(attack.send(c))
				})
				if verdict != attack.verdict {
					t.Errorf("verdict %d, want %d", verdict, attack.verdict)
				}
				if attack.want == "" && err != nil || attack.want != "" && !errors.Is(err, attack.want) {
					t.Errorf("the server says %v, want %q", err, attack.want)
				}
			})
		})
	}
}

// Both halves of a truncated frame: the other side goes away in the middle.
func TestTruncated66(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(policy.FromProto())
		for _, length := range []int{1, 3, 4, 5, 100} {
			_, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
				_, _ = c.conn.Write(c.answer("orders", nil)[:length])
				_ = c.conn.Close()
			})
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after %d bytes the server says %v", length, err)
			}
			loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
				_, _ = s.conn.Write(s.hello("payments", nil)[:length])
				_ = s.conn.Close()
			})
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || len(loot) != 0 {
				t.Errorf("after %d bytes the client says %v and lost %d bytes", length, err, len(loot))
			}
		}
	})
}
