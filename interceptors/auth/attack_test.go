package auth_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// attackTokenMode runs attacks in one world, unary and stream, and then once more for what a cache may have kept.
func attackTokenMode(t *testing.T, attacks map[string]forgery, after func(t *testing.T, w *world, token string)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		cc := foreigner(t, w, payments{
			quote: func(context.Context) error { t.Error("the handler ran"); return nil },
			watch: nil,
		})
		f := newForger(t, w, "orders", "at+jwt", func() claims { return tokenClaims(w, "orders") })
		for name, attack := range attacks {
			token := attack(f)
			for range 2 {
				ctx := withBearer(t.Context(), token)
				if err := quote(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsInvalid {
					t.Errorf("%s: unary: %v", name, err)
				}
				if _, err := watch(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsInvalid {
					t.Errorf("%s: stream: %v", name, err)
				}
			}
			after(t, w, token)
		}
	})
}

func TestAttack01To48HostileTokens(t *testing.T) {
	attackTokenMode(t, hostileTokens(), func(*testing.T, *world, string) {})
}

// The same in the proof of a client's handshake: nobody is let in.
func TestAttack01To48HostileClientHellos(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		gate := w.identity("payments").Server(policy.FromProto())
		present := func(name string, attack forgery, want int) {
			verdict, err := w.assault(gate, evilClientConfig(alpn), func(c evilClient) {
				f := newForger(t, w, "orders", "parley-client+jwt", func() claims {
					return clientClaims(c, c.conn, w.id("orders").String(), w.id("payments").String(), c.hello)
				})
				_, _ = c.conn.Write(frameOf(clientHello, helloBody("", attack(f))))
			})
			if verdict != want || (want == 0) != (err == nil) || err != nil && !errors.Is(err, rpcerr.CredentialsInvalid) {
				t.Errorf("%s: verdict %d, error %v", name, verdict, err)
			}
		}
		present("honest", (*forger).honest, 0)
		for name, attack := range hostileTokens() {
			present(name, attack, 1)
		}
	})
}

// And in the proof of a server's handshake: nothing is sent to it.
func TestAttack01To48HostileServerHellos(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		client, config := w.identity("orders"), evilServerConfig(t, alpn)
		for name, attack := range hostileTokens() {
			if about(name, "31", "32", "33", "34", "39") {
				continue // the proof of a server has no aud
			}
			loot, err := w.deceive(client, config, func(s evilServer) {
				f := newForger(t, w, "payments", "parley-server+jwt", func() claims { return serverClaims(s, s.conn, w.id("payments").String()) })
				_, _ = s.conn.Write(frameOf(serverHello, helloBody("", attack(f))))
			})
			if !errors.Is(err, rpcerr.ServerProofInvalid) || len(loot) != 0 {
				t.Errorf("%s: error %v, %d bytes lost", name, err, len(loot))
			}
		}
	})
}

// And in the proofs of a server in token mode: no reply is believed.
func TestAttack01To48HostileReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		cc := e.channel()
		for name, attack := range hostileTokens() {
			e.header = func(c evilCall) []string {
				return []string{attack(newForger(t, c.w, "payments", "parley-proof+jwt", c.honest))}
			}
			if err := quote(t.Context(), cc); rpcerr.ReasonOf(err) != rpcerr.ServerProofInvalid {
				t.Errorf("%s: unary: %v", name, err)
			}
			if _, err := watch(t.Context(), cc); rpcerr.ReasonOf(err) != rpcerr.ServerProofInvalid {
				t.Errorf("%s: stream: %v", name, err)
			}
		}
	})
}

// about reports whether a name is that of an attack of one of these rows.
func about(name string, rows ...string) bool {
	return slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(name, row+" ") })
}

// The log at its most talkative shows nothing that a reader could use: no token, no part of one, no proof.
func TestAttack70NoSecretsInLogs(t *testing.T) {
	attackTokenMode(t, hostileTokens(), func(t *testing.T, w *world, token string) {
		log := w.log.String()
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 16 && strings.Contains(log, part) {
				t.Errorf("the log shows %q", part)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		var secrets []string
		reply := func(typ string, change claims) func(evilCall) []string {
			return func(c evilCall) []string {
				proof := sign(c, c.w.key("payments"), typ, c.honest().with(change))
				secrets = append(secrets, c.token, c.nonce, proof)
				return []string{proof}
			}
		}
		cc := e.channel()
		for _, header := range []func(evilCall) []string{
			reply("parley-proof+jwt", nil), reply("at+jwt", nil), reply("parley-proof+jwt", claims{"nonce": "x"}), reply("parley-proof+jwt", claims{"exp": nil}),
		} {
			e.header = header
			_ = quote(t.Context(), cc)
			_, _ = watch(t.Context(), cc)
		}
		log := e.log.String()
		for _, secret := range secrets {
			for part := range strings.SplitSeq(secret, ".") {
				if len(part) > 16 && strings.Contains(log, part) {
					t.Errorf("the log shows %q", part)
				}
			}
		}
		if len(secrets) != 24 || !strings.Contains(log, "answer refused") {
			t.Errorf("the test saw %d secrets, and the log is %q", len(secrets), log)
		}
	})
}

// A token that is anywhere else than in the authorization is none.
func TestAttack41TokenInAnotherPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{})
		token := mint(t, w, "orders", nil)
		for _, key := range []string{"authorization-bin", "proxy-authorization", "x-authorization", "cookie", "parley-nonce", "workload-identity-token"} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), key, "Bearer "+token)
			if err := quote(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsMissing {
				t.Errorf("%s: unary: %v", key, err)
			}
			if _, err := watch(ctx, cc); rpcerr.ReasonOf(err) != rpcerr.CredentialsMissing {
				t.Errorf("%s: stream: %v", key, err)
			}
		}
	})
}

// More metadata than 32 KiB ends the call before anything looks at it.
func TestAttack42MetadataBeyondItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		called := false
		cc := foreigner(t, w, payments{quote: func(context.Context) error { called = true; return nil }})
		ctx := metadata.AppendToOutgoingContext(withBearer(t.Context(), mint(t, w, "orders", nil)), "x-padding", strings.Repeat("A", 33<<10))
		if err := quote(ctx, cc); err == nil || called {
			t.Errorf("the call went through: %v", err)
		}
		if _, err := watch(ctx, cc); err == nil {
			t.Error("the stream went through")
		}
	})
}

// A method that is not registered, or a path that is none, is no way in: who has proven nothing learns nothing of it.
func TestAttack67UnknownMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{})
		for _, method := range []string{"/shop.payments.v1.PaymentsService/GetQuote2", "/a.B/C", "//shop.payments.v1.PaymentsService/GetQuote", "/shop.payments.v1.PaymentsService/GetQuote/"} {
			for name, ctx := range map[string]context.Context{"nobody": t.Context(), "orders": withBearer(t.Context(), mint(t, w, "orders", nil))} {
				if err := cc.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
					t.Errorf("%s as %s: the call went through", method, name)
				}
				stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
				if err == nil {
					err = stream.RecvMsg(&emptypb.Empty{})
				}
				if err == nil || errors.Is(err, io.EOF) {
					t.Errorf("%s as %s: the stream went through: %v", method, name, err)
				}
			}
		}
	})
}
