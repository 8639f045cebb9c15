package auth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// tokenWorld is payments, opened to token mode under the TLS name localhost.
type tokenWorld struct {
	*world
	server *server
	roots  *x509.CertPool
}

func newTokenWorld(t testing.TB, impl payments, layers ...policy.Layer) *tokenWorld {
	t.Helper()
	w := newWorld(t)
	w.enroll("orders", "payments", "mallory")
	roots, certificate := w.certificate()
	s := serve(t, impl, w.identity("payments").ServerOptions(tableOf(t, layers...), auth.WithBearer(certificate))...)
	return &tokenWorld{w, s, roots}
}

// proofs is a layer that asks for a level of proof from every method of the payments service.
func proofs(level policyv1.Proof) policy.Layer {
	return policy.Code(map[string]*policyv1.Policy{
		"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Proof: level.Enum()}},
	})
}

// channel is a ClientConn of orders in token mode.
func (w *tokenWorld) channel(opts ...auth.ChannelOption) *grpc.ClientConn {
	w.t.Helper()
	opts = append([]auth.ChannelOption{auth.WithMode(auth.ModeToken), auth.WithRoots(w.roots), auth.WithServerName("localhost")}, opts...)
	c := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, opts...)
	if err := c.Check(); err != nil {
		w.t.Fatal(err)
	}
	return dial(w.t, w.server.dialer, c.DialOptions()...)
}

// seen records what handlers see of their callers.
func seen(carriers *[]principal.Carrier) payments {
	see := func(ctx context.Context) error {
		p, _ := principal.PeerFromContext(ctx)
		*carriers = append(*carriers, p.Carrier)
		for _, key := range []string{"authorization", "parley-nonce", "workload-proof-token", "workload-identity-token"} {
			if len(metadata.ValueFromIncomingContext(ctx, key)) != 0 {
				return errUnexpected
			}
		}
		return nil
	}
	return payments{quote: see, watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
		if err := see(s.Context()); err != nil {
			return err
		}
		return s.Send(&paymentsv1.WatchChargeResponse{})
	}}
}

func TestTokenMode(t *testing.T) {
	for name, level := range map[string]policyv1.Proof{"session": policyv1.Proof_PROOF_SESSION, "call": policyv1.Proof_PROOF_CALL} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var carriers []principal.Carrier
				w := newTokenWorld(t, seen(&carriers), proofs(level))
				cc := w.channel(auth.WithProofPolicy(tableOf(t, proofs(level))))
				var got []string
				for range 3 {
					var header metadata.MD
					if err := quote(t.Context(), cc, grpc.Header(&header)); err != nil {
						t.Fatal(err)
					}
					got = append(got, header["parley-proof"]...)
				}
				stream, err := watch(t.Context(), cc)
				if err != nil {
					t.Fatal(err)
				}
				header, err := stream.Header()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, header["parley-proof"]...)
				if len(got) != 4 || (got[0] == got[1]) != (name == "session") || (got[0] == got[3]) != (name == "session") {
					t.Errorf("the proofs are %d, and not new as often as they have to be", len(got))
				}
				for _, carrier := range carriers {
					if carrier != principal.CarrierToken {
						t.Errorf("the handler sees a caller by %v", carrier)
					}
				}
			})
		})
	}
}

// A nonce is used for a minute, and a token for three quarters of its life.
func TestSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, payments{})
		cc := w.channel()
		proof := func() string {
			t.Helper()
			var header metadata.MD
			if err := quote(t.Context(), cc, grpc.Header(&header)); err != nil {
				t.Fatal(err)
			}
			return strings.Join(header["parley-proof"], "")
		}
		first := proof()
		time.Sleep(time.Minute - time.Nanosecond)
		if proof() != first {
			t.Error("the session ended early")
		}
		time.Sleep(time.Nanosecond)
		if proof() == first {
			t.Error("the session did not end")
		}
		for range 60 {
			time.Sleep(30 * time.Second)
			proof()
		}
	})
}

// A proof is checked once in a session, whose client remembers it.
func TestProofOfASessionIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, payments{})
		c := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, auth.WithMode(auth.ModeToken), auth.WithRoots(w.roots), auth.WithServerName("localhost"))
		cc := dial(t, w.server.dialer, c.DialOptions()...)
		for session := range 2 {
			for range 3 {
				if err := quote(t.Context(), cc); err != nil {
					t.Fatal(err)
				}
				if n := auth.RememberedProofs(c); n != 1 {
					t.Errorf("session %d: %d proofs are remembered, want 1", session, n)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// A workload that has another key calls with a token by that key at once.
func TestTokensAreOfTheKeyInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var key string
		w := newTokenWorld(t, payments{quote: func(ctx context.Context) error {
			p, _ := principal.PeerFromContext(ctx)
			key = p.KeyID
			return nil
		}})
		cc := w.channel()
		by := func(want *jose.PrivateKey) {
			t.Helper()
			if err := quote(t.Context(), cc); err != nil {
				t.Fatal(err)
			}
			if key != want.Public().Thumbprint() {
				t.Errorf("the token is by key %s, want %s", key, want.Public().Thumbprint())
			}
		}
		by(w.key("orders"))
		next := w.replaceKey("orders")
		time.Sleep(2 * reread)
		by(next)
	})
}

// Many calls that begin a session at once begin one: a server has no room for more than 8 nonces of one token.
func TestManyCallsBeginOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, payments{})
		cc := w.channel()
		for range 3 {
			var wg sync.WaitGroup
			var mu sync.Mutex
			proofs := map[string]bool{}
			for range 64 {
				wg.Go(func() {
					var header metadata.MD
					if err := quote(t.Context(), cc, grpc.Header(&header)); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					proofs[strings.Join(header["parley-proof"], "")] = true
				})
			}
			wg.Wait()
			if len(proofs) != 1 {
				t.Errorf("there were %d proofs in one session", len(proofs))
			}
			time.Sleep(time.Minute)
		}
	})
}

// Prefer takes connection mode where the server speaks it, and no token is sent then.
func TestPrefer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var carriers []principal.Carrier
		w := newTokenWorld(t, seen(&carriers))
		if err := quote(t.Context(), w.channel(auth.WithMode(auth.ModePrefer))); err != nil {
			t.Fatal(err)
		}
		if len(carriers) != 1 || carriers[0] != principal.CarrierConnection {
			t.Errorf("the callers came by %v", carriers)
		}
	})
}

// On parley/1 no token goes over the wire, and what a caller puts there of token mode means nothing.
func TestIdentityHeadersOnAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var incoming metadata.MD
		w := newWorld(t)
		w.enroll("orders", "payments")
		note := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			incoming, _ = metadata.FromIncomingContext(ctx)
			return handler(ctx, req)
		}
		var carriers []principal.Carrier
		s := serve(t, seen(&carriers), append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(note)}, w.identity("payments").ServerOptions(nil)...)...)
		c := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, auth.WithMode(auth.ModePrefer))
		cc := dial(t, s.dialer, c.DialOptions()...)
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		if len(incoming["authorization"]) != 0 || len(incoming["parley-nonce"]) != 0 {
			t.Errorf("over parley/1 went %v", incoming)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "parley-nonce", "x", "workload-proof-token", "y", "workload-identity-token", "z")
		var header metadata.MD
		if err := quote(ctx, cc, grpc.Header(&header)); err != nil {
			t.Errorf("with headers of token mode: %v", err)
		}
		if len(header["parley-proof"]) != 0 {
			t.Error("the server proved itself twice")
		}
	})
}

func TestTokenModeNeedsAVerifiedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := false
		w := newTokenWorld(t, payments{quote: func(context.Context) error { called = true; return nil }})
		other, _ := w.certificate()
		for name, opts := range map[string][]auth.ChannelOption{
			"another name":  {auth.WithServerName("payments")},
			"another root":  {auth.WithRoots(other)},
			"the system's":  {auth.WithRoots(nil)},
			"name by host":  {auth.WithServerName("")}, // of the target, which is "payments"
			"prefix of it":  {auth.WithServerName("local")},
			"address of it": {auth.WithServerName("127.0.0.1")},
		} {
			err := quote(t.Context(), w.channel(opts...))
			refused(t, name, err, codes.Unauthenticated, rpcerr.ServerProofInvalid)
		}
		if called {
			t.Error("a call went through")
		}
	})
}

func TestModeContradictions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		orders := w.identity("orders")
		pattern, err := principal.ParsePattern("spiffe://shop.example/*")
		if err != nil {
			t.Fatal(err)
		}
		one := []principal.Pattern{w.id("payments")}
		for name, c := range map[string]*auth.Channel{
			"a pattern":        orders.Channel([]principal.Pattern{pattern}, auth.WithMode(auth.ModeToken)),
			"two servers":      orders.Channel([]principal.Pattern{w.id("payments"), w.id("ledger")}, auth.WithMode(auth.ModePrefer)),
			"nobody":           orders.Channel(nil, auth.WithMode(auth.ModeToken)),
			"no such mode":     orders.Channel(one, auth.WithMode(auth.Mode(7))),
			"roots for parley": orders.Channel(one, auth.WithRoots(x509.NewCertPool())),
			"name for parley":  orders.Channel(one, auth.WithServerName("localhost")),
		} {
			if err := c.Check(); err == nil {
				t.Errorf("%s: Check says nothing", name)
			}
			err := quote(t.Context(), dial(t, nil, c.DialOptions()...))
			refused(t, name, err, codes.FailedPrecondition, rpcerr.ConfigurationInvalid)
		}
	})
}

// scriptedTokens yields its tokens one after the other, the last for ever.
type scriptedTokens struct {
	tokens    []string
	asked     int
	refreshed int
	err       error
}

func (s *scriptedTokens) Token(context.Context, principal.ID) (tokens.Token, error) {
	s.asked++
	return tokens.Token{Value: s.tokens[0], Expires: time.Now().Add(time.Minute)}, s.err
}

func (s *scriptedTokens) Refresh(ctx context.Context, id principal.ID, _ tokens.Token) (tokens.Token, error) {
	s.refreshed++
	if len(s.tokens) > 1 {
		s.tokens = s.tokens[1:]
	}
	return s.Token(ctx, id)
}

// Where somebody outside makes another attempt after a renewal, auth takes the new token and leaves that attempt to
// them. After it another renewal would not help.
func TestScenario37TheRenewedAttemptIsLeftToWhoeverRetries(t *testing.T) {
	calls := map[string]func(context.Context, *grpc.ClientConn) error{
		"unary":  func(ctx context.Context, cc *grpc.ClientConn) error { return quote(ctx, cc) },
		"stream": func(ctx context.Context, cc *grpc.ClientConn) error { _, err := watch(ctx, cc); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var carriers []principal.Carrier
				w := newTokenWorld(t, seen(&carriers))
				expired := mint(t, w.world, "orders", claims{"iat": in(-time.Hour), "exp": in(-31 * time.Second), "jti": "1"})
				source := &scriptedTokens{tokens: []string{expired, mint(t, w.world, "orders", nil)}}
				cc := w.channel(auth.WithTokenSource(source))
				ctx, first := attempt.NewContext(t.Context(), 1, false, nil)
				first.SetRenewable(true)
				refused(t, "the first attempt", call(ctx, cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
				if !first.Renewed() || source.refreshed != 1 || len(carriers) != 0 {
					t.Errorf("renewed: %v, %d tokens were fetched, the handler ran %d times", first.Renewed(), source.refreshed, len(carriers))
				}
				ctx, second := attempt.NewContext(t.Context(), 2, false, nil)
				second.FollowRenewal()
				if err := call(ctx, cc); err != nil {
					t.Errorf("the second attempt: %v", err)
				}

				source = &scriptedTokens{tokens: []string{expired, mint(t, w.world, "orders", nil)}}
				cc = w.channel(auth.WithTokenSource(source))
				ctx, second = attempt.NewContext(t.Context(), 2, false, nil)
				second.FollowRenewal()
				refused(t, "a second attempt with a bad token", call(ctx, cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
				if second.Renewed() || source.refreshed != 0 {
					t.Errorf("after a renewal %d tokens were fetched", source.refreshed)
				}
			})
		})
	}
}

// A proven server that finds the token to be expired gets another one, once, because its handler did not run.
func TestExpiredTokenIsRenewedOnce(t *testing.T) {
	calls := map[string]func(context.Context, *grpc.ClientConn) error{
		"unary":  func(ctx context.Context, cc *grpc.ClientConn) error { return quote(ctx, cc) },
		"stream": func(ctx context.Context, cc *grpc.ClientConn) error { _, err := watch(ctx, cc); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var carriers []principal.Carrier
				w := newTokenWorld(t, seen(&carriers))
				expired := func(jti string) string {
					return mint(t, w.world, "orders", claims{"iat": in(-time.Hour), "exp": in(-31 * time.Second), "jti": jti})
				}
				source := &scriptedTokens{tokens: []string{expired("1"), mint(t, w.world, "orders", nil)}}
				cc := w.channel(auth.WithTokenSource(source))
				if err := call(t.Context(), cc); err != nil {
					t.Errorf("with a good token behind it: %v", err)
				}
				if len(carriers) != 1 || source.refreshed != 1 {
					t.Errorf("the handler ran %d times and %d tokens were fetched", len(carriers), source.refreshed)
				}

				source = &scriptedTokens{tokens: []string{expired("2"), expired("3"), expired("4")}}
				cc = w.channel(auth.WithTokenSource(source))
				refused(t, "with expired ones behind it", call(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
				if source.refreshed != 1 {
					t.Errorf("%d tokens were fetched for one call", source.refreshed)
				}
				refused(t, "a second call at once", call(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
				if source.refreshed != 1 {
					t.Errorf("%d tokens were fetched within a second", source.refreshed)
				}
				time.Sleep(time.Second)
				refused(t, "a second later", call(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
				if source.refreshed != 2 {
					t.Errorf("%d tokens were fetched in two seconds", source.refreshed)
				}
			})
		})
	}
}

// An answer that comes after minutes is proven by what was proof when the call was made.
func TestSlowAnswersAreProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func() { time.Sleep(5 * time.Minute) }
		w := newTokenWorld(t, payments{
			quote: func(context.Context) error { wait(); return nil },
			watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
				wait()
				return s.Send(&paymentsv1.WatchChargeResponse{})
			},
		})
		cc := w.channel()
		for range 2 {
			if err := quote(t.Context(), cc); err != nil {
				t.Errorf("unary: %v", err)
			}
			if _, err := watch(t.Context(), cc); err != nil {
				t.Errorf("stream: %v", err)
			}
		}
	})
}

// What a proven server says of a token is no reason to call again if its handler has run: it may speak of a hop behind
// it, or of the end of a stream that was open for long.
func TestExpiryAfterTheHandlerRanIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		behind := rpcerr.New(rpcerr.CredentialsExpired, "the credential has ended", nil)
		w := newTokenWorld(t, payments{
			quote: func(context.Context) error { calls++; return behind },
			watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
				calls++
				<-s.Context().Done()
				return s.Context().Err()
			},
		})
		source := &scriptedTokens{tokens: []string{mint(t, w.world, "orders", claims{"exp": in(time.Minute)}), mint(t, w.world, "orders", claims{"jti": "2"})}}
		cc := w.channel(auth.WithTokenSource(source))
		refused(t, "unary", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsExpired)
		_, err := watch(t.Context(), cc)
		refused(t, "stream", err, codes.Unavailable, rpcerr.PlannedEnd)
		if calls != 2 || source.refreshed != 0 {
			t.Errorf("the handlers ran %d times and %d tokens were fetched, want 2 and none", calls, source.refreshed)
		}
	})
}

func TestTokenSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, payments{})
		cause := errors.New("the issuer is down")
		cc := w.channel(auth.WithTokenSource(&scriptedTokens{tokens: []string{""}, err: cause}))
		err := quote(t.Context(), cc)
		refused(t, "unary", err, codes.Unavailable, rpcerr.TokenSourceUnavailable)
		if strings.Contains(status.Convert(err).Message(), "issuer") {
			t.Errorf("the status shows the cause: %v", err)
		}
		_, err = watch(t.Context(), cc)
		refused(t, "stream", err, codes.Unavailable, rpcerr.TokenSourceUnavailable)
	})
}

// A caller that is refused learns by whom: the refusal is the server's proven word.
func TestRefusalIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deny := policy.Code(map[string]*policyv1.Policy{"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()}}})
		w := newTokenWorld(t, payments{}, deny)
		cc := w.channel()
		refused(t, "unary", quote(t.Context(), cc), codes.PermissionDenied, rpcerr.PolicyDenied)
		_, err := watch(t.Context(), cc)
		refused(t, "stream", err, codes.PermissionDenied, rpcerr.PolicyDenied)
	})
}

// A token prints without its value, whatever the verb.
func TestTokenHidesItsValue(t *testing.T) {
	token := tokens.Token{Value: "secret", Expires: time.Unix(0, 0)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, token); strings.Contains(text, "secret") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
	if strings.Contains(token.LogValue().String(), "secret") {
		t.Error("the log shows it")
	}
}
