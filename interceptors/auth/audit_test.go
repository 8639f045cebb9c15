package auth_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// The log tells who proved what to whom, who was refused and why, and how the trust changed.
func TestAuditLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		p.w.enroll("mallory")
		time.Sleep(reread)
		_ = quote(t.Context(), p.cc)
		_ = quote(t.Context(), dial(t, p.server.dialer, p.w.identity("mallory").DialOptions(p.w.id("payments"))...))
		_ = quote(t.Context(), dial(t, p.server.dialer, p.orders.DialOptions(p.w.id("mallory"))...))
		_, _ = p.w.assault(p.payments.Server(nil), evilClientConfig(alpn), func(c evilClient) {
			_, _ = c.conn.Write(c.answer("mallory", nil))
		})
		p.w.revoke("orders")
		time.Sleep(reread)

		kid := func(service string) string { return "kid=" + p.w.key(service).Public().Thumbprint() }
		log := p.w.log.String()
		for _, line := range [][]string{
			{
				`"parley: connection proven"`, "role=client", "peer=spiffe://shop.example/payments", kid("payments"),
				"generation=", "self=spiffe://shop.example/orders",
			},
			{
				`"parley: connection proven"`, "role=server", "peer=spiffe://shop.example/orders", kid("orders"), "expires=",
				"self=spiffe://shop.example/payments",
			},
			{
				`"parley: call refused"`, "reason=POLICY_DENIED", "method=/shop.payments.v1.PaymentsService/GetQuote",
				"peer=spiffe://shop.example/mallory", "cause=", "decided=",
			},
			{
				`"parley: handshake refused"`, "role=client", "reason=SERVER_IDENTITY_MISMATCH",
				"peer=spiffe://shop.example/payments", kid("payments"),
			},
			{`"parley: handshake refused"`, "role=server", "reason=CREDENTIALS_INVALID", kid("mallory"), "iss is not"},
			{`"parley: trust changed"`, "generation=", "ended="},
			{
				`"parley: credential ended"`, "of=connection", "the trust in its key", "role=server",
				"peer=spiffe://shop.example/orders", kid("orders"),
			},
		} {
			if !hasLine(log, line) {
				t.Errorf("no line with %q in\n%s", line, log)
			}
		}
	})
}

func hasLine(log string, parts []string) bool {
	for line := range strings.Lines(log) {
		found := 0
		for _, part := range parts {
			if strings.Contains(line, part) {
				found++
			}
		}
		if found == len(parts) {
			return true
		}
	}
	return false
}

// No token, proof, signature or channel binding is ever logged, at any level.
func TestNoSecretIsLogged70(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		var secrets []string
		keep := func(c claims, token string) {
			secrets = append(secrets, strings.Split(token, ".")...)
			secrets = append(secrets, c["cb"].(string))
		}
		for _, service := range []string{"orders", "mallory"} {
			_, _ = w.assault(w.identity("payments").Server(nil), evilClientConfig(alpn), func(c evilClient) {
				proof := c.proof(w.key(service), "parley-client+jwt", nil)
				keep(clientClaims(c, c.conn, "", "", nil), proof)
				_, _ = c.conn.Write(frameOf(clientHello, helloBody("", proof)))
			})
		}
		for _, service := range []string{"payments", "mallory"} {
			_, _ = w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
				proof := s.proof(w.key(service), "parley-server+jwt", nil)
				keep(serverClaims(s, s.conn, ""), proof)
				_, _ = s.conn.Write(frameOf(serverHello, helloBody("", proof)))
				_, _ = s.conn.Write(frameOf(verdictFrame, []byte{0}))
			})
		}
		cc := foreigner(t, w, payments{})
		for _, token := range []string{
			mint(t, w, "orders", nil), mint(t, w, "mallory", nil), mint(t, w, "orders", claims{"exp": nil}),
			mint(t, w, "orders", claims{"aud": "x"}),
		} {
			secrets = append(secrets, strings.Split(token, ".")...)
			_ = quote(withBearer(t.Context(), token), cc)
			err := quote(withBearer(t.Context(), token+"A"), cc)
			refused(t, "a broken token", err, codes.Unauthenticated, "CREDENTIALS_INVALID")
		}
		log := w.log.String()
		if !strings.Contains(log, "CREDENTIALS_INVALID") {
			t.Fatal("nothing was logged")
		}
		for _, secret := range secrets {
			if len(secret) > 10 && strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// Of a caller that proved nothing, the refusal says where it was and what it calls itself, in the log and in the list.
func TestRefusalsOfUnprovenCallersNameThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		roots, certificate := w.certificate()
		server := w.identity("payments")
		s := serve(t, payments{}, server.ServerOptions(tableOf(t), auth.WithBearer(certificate))...)
		cc := dial(t, s.dialer, grpc.WithAuthority("localhost"), grpc.WithUserAgent("grpcurl/1.9"),
			grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
				RootCAs: roots, ServerName: "localhost",
				MinVersion: tls.VersionTLS13,
			})))
		for range 100 {
			refused(t, "no credential", quote(t.Context(), cc), codes.Unauthenticated, "CREDENTIALS_MISSING")
		}
		list := server.Refusals()
		if len(list) != 1 || list[0].Times != 100 || list[0].Address == "" ||
			!strings.HasPrefix(list[0].Agent, "grpcurl/1.9") ||
			list[0].Method != "/shop.payments.v1.PaymentsService/GetQuote" || list[0].Reason != rpcerr.CredentialsMissing ||
			!list[0].Peer.IsZero() {
			t.Fatalf("the refusals are %+v", list)
		}
		log := w.log.String()
		if lines := strings.Count(log, "parley: call refused"); lines != 1 {
			t.Errorf("%d lines for 100 equal refusals, want 1", lines)
		}
		if !hasLine(log, []string{
			"parley: call refused", "remote=" + list[0].Address, `agent="grpcurl/1.9`,
			"reason=CREDENTIALS_MISSING",
		}) {
			t.Errorf("the log does not name the caller:\n%s", log)
		}
	})
}
