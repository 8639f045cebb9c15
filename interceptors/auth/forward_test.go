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

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// hop is orders between its caller and payments: what the handler of orders gets and what payments sees of it.
type hop struct {
	u    *users
	seen metadata.MD // of the call to payments
	user principal.User
}

// newHop makes the handler of the first server call the second with what f forwards.
func newHop(
	t *testing.T, f *auth.Forwarder, set func(context.Context) context.Context, opts ...auth.ServerOption,
) *hop {
	h := &hop{}
	var behind *grpc.ClientConn
	recorder := grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		h.seen, _ = metadata.FromIncomingContext(ctx)
		h.seen = h.seen.Copy()
		return handler(ctx, req)
	})
	h.u = newUsers(t, payments{quote: func(ctx context.Context) error { return quote(set(ctx), behind) }}, nil, opts...)
	second := h.u.w.identity("payments").Server(nil, auth.WithTransactionTokens(h.u.ttm.issuer(t)))
	s := serve(t, payments{quote: func(ctx context.Context) error { h.user, _ = principal.UserFromContext(ctx); return nil }},
		append([]grpc.ServerOption{recorder}, second.ServerOptions()...)...)
	behind = dial(t, s.dialer, slices.Concat(f.DialOptions(), h.u.w.identity("orders").DialOptions(h.u.w.id("payments")))...)
	return h
}

// From hop to hop goes what is on the list, the transaction token as it came, and nothing else.
func TestForward(t *testing.T) {
	keep := func(ctx context.Context) context.Context { return ctx }
	for name, test := range map[string]struct {
		keys []string
		set  func(context.Context) context.Context
		txn  string // "same", "other" or "none"
		also bool   // whether x-request-id goes on
	}{
		"by default":                        {nil, keep, "same", false},
		"with a further key":                {[]string{auth.TransactionTokenKey, "x-request-id"}, keep, "same", true},
		"another key alone":                 {[]string{"x-request-id"}, keep, "none", true},
		"the handler has set another token": {nil, func(ctx context.Context) context.Context { return auth.AttachTransactionToken(ctx, "other") }, "other", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHop(t, auth.Forward(test.keys...), test.set)
				token := h.u.transactionToken(t, nil)
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs("x-request-id", "42", "x-secret", "s"))
				err := quote(auth.AttachTransactionToken(ctx, token), h.u.connection)
				want := map[string][]string{"same": {token}, "other": {"other"}, "none": nil}[test.txn]
				if got := h.seen.Get(auth.TransactionTokenKey); !slices.Equal(got, want) {
					t.Errorf("the transaction token arrives as %q", got)
				}
				if got := len(h.seen.Get("x-request-id")) == 1; got != test.also {
					t.Errorf("x-request-id arrives: %v", got)
				}
				if len(h.seen.Get("x-secret")) > 0 || len(h.seen.Get("authorization")) > 0 {
					t.Errorf("more arrives than is on the list: %v", h.seen)
				}
				if test.txn == "same" && (err != nil || h.user.Subject != "alice" || h.user.Transaction != "9705-3963") {
					t.Errorf("behind the hop: %v, %+v", err, h.user)
				}
				if test.txn == "other" {
					refused(t, "a token that does not hold", err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
				}
			})
		})
	}
}

// The user's own token goes no further, unless somebody says so on purpose.
func TestTheUsersTokenIsNotForwarded(t *testing.T) {
	for name, keys := range map[string][]string{"by default": nil, "on purpose": {auth.UserTokenKey}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHop(t, auth.Forward(keys...), func(ctx context.Context) context.Context { return ctx })
				token := h.u.accessToken(t, nil)
				if err := quote(auth.AttachUserToken(t.Context(), token), h.u.connection); err != nil {
					t.Fatal(err)
				}
				if got := h.seen.Get(auth.UserTokenKey); len(got) != len(keys) || len(got) == 1 && got[0] != token {
					t.Errorf("the token arrives as %q", got)
				}
			})
		})
	}
}

// What belongs to one hop is never forwarded, whoever lists it. Every call says so, unary and stream.
func TestForwardRefuses(t *testing.T) {
	for _, key := range []string{
		"authorization", "parley-nonce", "grpc-timeout", "grpc-previous-rpc-attempts", ":authority", "Txn-Token", "", "traceparent",
		"workload-identity-token", "cookie", "x-forwarded-for",
	} {
		f := auth.Forward(key)
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), "auth: Forward: key") {
			t.Errorf("%q: %v", key, err)
		}
		refused(t, key+", unary", f.UnaryClientInterceptor(t.Context(), "/a/b", nil, nil, nil, nil), codes.FailedPrecondition, rpcerr.ConfigurationInvalid)
		_, err := f.StreamClientInterceptor(t.Context(), nil, nil, "/a/b", nil)
		refused(t, key+", stream", err, codes.FailedPrecondition, rpcerr.ConfigurationInvalid)
	}
	if got := auth.Forward().String(); got != `auth.Forward("txn-token")` {
		t.Error(got)
	}
}

// A handler's stream forwards as its calls do, and a context without a call forwards nothing.
func TestForwardStream(t *testing.T) {
	var out metadata.MD
	streamer := func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
		out, _ = metadata.FromOutgoingContext(ctx)
		return nil, nil
	}
	f := auth.Forward("x-request-id")
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-request-id", "42", "authorization", "Bearer x"))
	for _, c := range []context.Context{ctx, t.Context()} {
		if _, err := f.StreamClientInterceptor(c, nil, nil, "/a/b", streamer); err != nil {
			t.Fatal(err)
		}
		if want := metadata.ValueFromIncomingContext(c, "x-request-id"); !slices.Equal(out.Get("x-request-id"), want) || len(out) > 1 {
			t.Errorf("forwarded %v, want %v", out, want)
		}
	}
}

// A user whose token has ended between two hops is refused by the second.
func TestForwardedTokenEnds29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHop(t, auth.Forward(), func(ctx context.Context) context.Context { time.Sleep(3 * time.Minute); return ctx })
		err := quote(auth.AttachTransactionToken(t.Context(), h.u.transactionToken(t, nil)), h.u.connection)
		refused(t, "call", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
	})
}
