package auth_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// inAuthorization sends the tokens of a user as authorization, to a server like that of u which takes them there.
func (u *users) inAuthorization(t *testing.T, tokens []string, code codes.Code, reason rpcerr.Reason) {
	t.Helper()
	must := &policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}}
	cc := u.serverWith(t, must, paymentsThatSee(t, "alice"), auth.WithUserAuthorization())
	sent := metadata.MD{}
	for _, token := range tokens {
		sent.Append("authorization", "Bearer "+token)
	}
	ctx := metadata.NewOutgoingContext(t.Context(), sent)
	refused(t, "in authorization, unary", quote(ctx, cc), code, reason)
	_, err := watch(ctx, cc)
	refused(t, "in authorization, stream", err, code, reason)
}

// serverWith is a further server of the identity payments, with the same issuers, and a connection of orders to it.
func (u *users) serverWith(
	t testing.TB, a *policyv1.Auth, impl payments, opts ...auth.ServerOption,
) *grpc.ClientConn {
	t.Helper()
	opts = append([]auth.ServerOption{
		auth.WithUserIssuers(u.login.issuer(t)), auth.WithTransactionTokens(u.ttm.issuer(t)),
	}, opts...)
	gate := u.w.identity("payments").Server(tableOf(t, narrow(a)), opts...)
	if err := gate.Check(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, impl, gate.ServerOptions()...)
	return dial(t, s.dialer, u.w.identity("orders").DialOptions(u.w.id("payments"))...)
}

// Of a caller that its connection proves, authorization is the user's; of any other it stays the workload's. What is in
// the wrong place is refused, and the log says so.
func TestUserAuthorization(t *testing.T) {
	const (
		good    = rpcerr.Reason("")
		invalid = rpcerr.CredentialsInvalid
		missing = rpcerr.CredentialsMissing
	)
	bearer := func(token string) string { return "Bearer " + token }
	for name, test := range map[string]struct {
		plain bool // the caller proves itself by a token
		send  func(t testing.TB, u *users) metadata.MD
		want  rpcerr.Reason
		log   string
	}{
		"the user's": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(u.accessToken(t, nil)))
		}, good, ""},
		"the user's, in other case": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", "bearer "+u.accessToken(t, nil))
		}, good, ""},
		"the user's, in its own key": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs(userKey, u.accessToken(t, nil))
		}, good, ""},
		"none": {false, func(testing.TB, *users) metadata.MD { return nil }, missing, "the call names no user"},
		"two users": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(u.accessToken(t, nil)), userKey, u.accessToken(t, nil))
		}, invalid, "a token of a user in parley-user-token and another in authorization; a call has one user"},
		"a user and a transaction": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(u.accessToken(t, nil)), txnKey, u.transactionToken(t, nil))
		}, invalid, "a token of a user in authorization and another in txn-token; a call has one user"},
		"a transaction token": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(u.transactionToken(t, nil)))
		}, invalid, "a token for another place stands in authorization; it belongs in txn-token"},
		"the caller's own token": {false, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(mint(t, u.w, "orders", nil)))
		}, invalid, "a workload's token stands in authorization, which is the user's where a connection proves the caller"},
		"another scheme": {false, func(testing.TB, *users) metadata.MD {
			return metadata.Pairs("authorization", "Basic YWxpY2U6cw")
		}, invalid, "the authorization is not a scheme Bearer, one space and a token"},
		"on a connection that proves no caller": {true, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(u.accessToken(t, nil)))
		}, invalid, "a user's token stands in authorization, which is for that of the calling workload"},
		"the workload's on such a connection": {true, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs("authorization", bearer(mint(t, u.w, "orders", nil)), userKey, u.accessToken(t, nil))
		}, good, ""},
		"both in authorization on such a connection": {true, func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs(
				"authorization", bearer(mint(t, u.w, "orders", nil)), "authorization", bearer(u.accessToken(t, nil)))
		}, invalid, "2 authorization values instead of one"},
		"the workload's as the user's": {true, func(t testing.TB, u *users) metadata.MD {
			own := mint(t, u.w, "orders", nil)
			return metadata.Pairs("authorization", bearer(own), userKey, own)
		}, invalid, "a workload's token stands in parley-user-token, which is the user's"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				must := &policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}}
				u := newUsers(t, paymentsThatSee(t, "alice"), must, auth.WithUserAuthorization())
				cc, code := u.connection, codes.Unauthenticated
				if test.plain {
					cc = u.plain
				}
				if test.want == good {
					code = codes.OK
				}
				ctx := metadata.NewOutgoingContext(t.Context(), test.send(t, u))
				refused(t, "unary", quote(ctx, cc), code, test.want)
				_, err := watch(ctx, cc)
				refused(t, "stream", err, code, test.want)
				if test.log != "" && !hasLine(u.w.log.String(), []string{"parley: call refused", test.log}) {
					t.Errorf("the log does not say %q:\n%s", test.log, u.w.log)
				}
				if strings.Contains(u.w.log.String(), "eyJhbGci") {
					t.Error("the log holds a token")
				}
			})
		})
	}
}

// Without the option the log says what is in the wrong place, and which option would take it.
func TestUserTokenInAuthorizationIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, nil)
		ctx := withBearer(t.Context(), u.accessToken(t, nil))
		for name, cc := range map[string]*grpc.ClientConn{"connection": u.connection, "plain": u.plain} {
			refused(t, name, quote(ctx, cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
		}
		cause := "a user's token stands in authorization, which is for that of the calling workload: it belongs in " +
			"parley-user-token, or, from a caller that its connection proves, in authorization WithUserAuthorization"
		if lines := strings.Count(u.w.log.String(), cause); lines != 2 {
			t.Errorf("%d lines say what is wrong, want 2:\n%s", lines, u.w.log)
		}
	})
}

// The option means nothing where nobody vouches for users.
func TestUserAuthorizationNeedsIssuers(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	for _, opts := range [][]auth.ServerOption{
		{auth.WithUserAuthorization()},
		{auth.WithUserAuthorization(), auth.WithTransactionTokens(newVouching(t, mintName).issuer(t))},
	} {
		err := w.identity("payments").Server(nil, opts...).Check()
		if err == nil || !strings.Contains(err.Error(), "WithUserAuthorization: nobody vouches for users") {
			t.Errorf("%v: %v", opts, err)
		}
	}
}

// A user's token goes on as such, wherever it stood, and authorization never does.
func TestForwardOfUserAuthorization(t *testing.T) {
	for name, keys := range map[string][]string{"by default": nil, "the user's token": {auth.UserTokenKey}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHop(t, auth.Forward(keys...), func(ctx context.Context) context.Context { return ctx },
					auth.WithUserAuthorization())
				token := h.u.accessToken(t, nil)
				if err := quote(withBearer(t.Context(), token), h.u.connection); err != nil {
					t.Fatal(err)
				}
				var want []string
				if keys != nil {
					want = []string{token}
				}
				if got := h.seen.Get(userKey); !slices.Equal(got, want) || len(h.seen.Get("authorization")) > 0 {
					t.Errorf("the next server gets %v", h.seen)
				}
			})
		})
	}
}

// A stream ends with the user's token, and a method that wants a proof of possession finds it in the connection.
func TestUserAuthorizationEndsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, nil)
		impl := payments{watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			user, _ := principal.UserFromContext(s.Context())
			if err := s.Send(nil); err != nil || user.Subject != "alice" {
				t.Errorf("user %+v, %v", user, err)
			}
			<-s.Context().Done()
			return context.Cause(s.Context())
		}}
		wpt := &policyv1.Auth{Proof: policyv1.Proof_PROOF_WPT.Enum()}
		cc := u.serverWith(t, wpt, impl, auth.WithUserAuthorization())
		start := time.Now()
		ctx := withBearer(t.Context(), u.accessToken(t, nil))
		stream, err := paymentsv1.NewPaymentsServiceClient(cc).WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "after the end of the token", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if lived := time.Since(start).Round(time.Second); lived != 10*time.Minute+30*time.Second {
			t.Errorf("the stream lived for %v", lived)
		}
	})
}
