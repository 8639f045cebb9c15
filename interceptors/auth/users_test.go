package auth_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	loginName = "https://login.shop.example"
	mintName  = "https://txn.shop.example"
	userKey   = "parley-user-token"
	txnKey    = "txn-token"
)

// vouching is an issuer with its key.
type vouching struct {
	name string
	key  *jose.PrivateKey
}

func newVouching(t testing.TB, name string) vouching {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return vouching{name, key}
}

func (v vouching) issuer(t testing.TB) auth.Issuer {
	t.Helper()
	jwk, err := v.key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return auth.Issuer{Name: v.name, Keys: keyset.Static([]byte(`{"keys":[` + string(jwk) + `]}`))}
}

// users is a server that takes the word of a login service and of one that makes transaction tokens, and two callers of
// it: orders in connection mode, and a client that is not Parley and brings what it has in metadata.
type users struct {
	w          *world
	login, ttm vouching
	connection *grpc.ClientConn
	plain      *grpc.ClientConn
	gate       *auth.Gate
}

func newUsers(t testing.TB, impl payments, a *policyv1.Auth, opts ...auth.ServerOption) *users {
	t.Helper()
	w := newWorld(t)
	w.enroll("orders", "mallory", "payments")
	u := &users{w: w, login: newVouching(t, loginName), ttm: newVouching(t, mintName)}
	roots, certificate := w.certificate()
	var layers []policy.Layer
	if a != nil {
		layers = append(layers, narrow(a))
	}
	u.gate = w.identity(
		"payments",
	).Server(
		tableOf(t, append(layers, policy.Code(auth.HealthPolicy()))...),
		append([]auth.ServerOption{
			auth.WithBearer(certificate),
			auth.WithUserIssuers(u.login.issuer(t)), auth.WithTransactionTokens(u.ttm.issuer(t)),
		}, opts...)...)
	if err := u.gate.Check(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, impl, u.gate.ServerOptions()...)
	u.connection = dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
	u.plain = dial(
		t,
		s.dialer,
		grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13,
		})),
	)
	return u
}

// accessToken is a token of the user alice for payments, honest but for what change alters.
func (u *users) accessToken(t testing.TB, change claims) string {
	t.Helper()
	return sign(t, u.login.key, "at+jwt", u.accessClaims().with(change))
}

func (u *users) accessClaims() claims {
	return claims{
		"iss":    loginName,
		"sub":    "alice",
		"aud":    "spiffe://shop.example/payments",
		"iat":    in(0),
		"exp":    in(10 * time.Minute),
		"jti":    "7",
		"scope":  "buy browse",
		"tenant": "blue",
		"mfa":    true,
	}
}

// transactionToken is the same for a transaction.
func (u *users) transactionToken(t testing.TB, change claims) string {
	t.Helper()
	return sign(t, u.ttm.key, "txntoken+jwt", claims{
		"iss": mintName, "sub": "alice", "aud": "shop.example", "iat": in(0), "exp": in(2 * time.Minute), "txn": "9705-3963",
		"scope": "buy", "req_wl": "spiffe://shop.example/edge", "tctx": claims{"tenant": "blue"},
	}.with(change))
}

// everyMode runs a call in unary and stream form and by both carriers.
func (u *users) everyMode(ctx context.Context, t *testing.T, code codes.Code, reason rpcerr.Reason) {
	t.Helper()
	byToken := withBearer(ctx, mint(t, u.w, "orders", nil))
	refused(t, "connection mode, unary", quote(ctx, u.connection), code, reason)
	refused(t, "token mode, unary", quote(byToken, u.plain), code, reason)
	_, err := watch(ctx, u.connection)
	refused(t, "connection mode, stream", err, code, reason)
	_, err = watch(byToken, u.plain)
	refused(t, "token mode, stream", err, code, reason)
}

// The tokens of end users against the attack table. What fails says nothing about why, and in what order it is found.
func TestUserTokens(t *testing.T) {
	type script func(t testing.TB, u *users) metadata.MD
	says := func(change claims) script {
		return func(t testing.TB, u *users) metadata.MD { return metadata.Pairs(userKey, u.accessToken(t, change)) }
	}
	txn := func(change claims) script {
		return func(t testing.TB, u *users) metadata.MD { return metadata.Pairs(txnKey, u.transactionToken(t, change)) }
	}
	raw := func(key string, form func(token string) []string) script {
		return func(t testing.TB, u *users) metadata.MD {
			token := u.accessToken(t, nil)
			if key == txnKey {
				token = u.transactionToken(t, nil)
			}
			return metadata.MD{key: form(token)}
		}
	}
	typed := func(typ string) script {
		return func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs(userKey, sign(t, u.login.key, typ, u.accessClaims()))
		}
	}
	const (
		payments = "spiffe://shop.example/payments"
		invalid  = rpcerr.CredentialsInvalid
		good     = rpcerr.Reason("")
		missing  = rpcerr.CredentialsMissing
	)
	twice := func(s string) []string { return []string{s, s} }
	for name, test := range map[string]struct {
		send script
		want rpcerr.Reason
	}{
		"0 honest access token":                   {says(nil), good},
		"0 honest transaction token":              {txn(nil), good},
		"0 no user":                               {func(testing.TB, *users) metadata.MD { return nil }, missing},
		"2 signature of nobody":                   {raw(userKey, func(s string) []string { return []string{s[:len(s)-86] + strings.Repeat("A", 86)} }), invalid},
		"9 key of another issuer":                 {says(claims{"iss": mintName}), invalid},
		"9 issuer that is not known":              {says(claims{"iss": "https://evil.example"}), invalid},
		"9 transaction token of the login":        {txn(claims{"iss": loginName}), invalid},
		"22 exp missing":                          {says(claims{"exp": nil}), invalid},
		"22 jti missing":                          {says(claims{"jti": nil}), invalid},
		"23 exp 0":                                {says(claims{"exp": 0}), invalid},
		"28 an hour and a second":                 {says(claims{"exp": in(time.Hour + time.Second)}), invalid},
		"28 an hour":                              {says(claims{"exp": in(time.Hour)}), good},
		"28 transaction of 300 seconds":           {txn(claims{"exp": in(5 * time.Minute)}), good},
		"28 transaction of 301 seconds":           {txn(claims{"exp": in(5*time.Minute + time.Second)}), invalid},
		"29 expired within the skew":              {says(claims{"iat": in(-time.Minute), "exp": in(-28 * time.Second)}), good},
		"29 expired":                              {says(claims{"iat": in(-time.Minute), "exp": in(-32 * time.Second)}), rpcerr.CredentialsExpired},
		"29 expired, for another server":          {says(claims{"iat": in(-time.Minute), "exp": in(-32 * time.Second), "aud": "x"}), invalid},
		"29 transaction expired":                  {txn(claims{"iat": in(-2 * time.Minute), "exp": in(-32 * time.Second)}), rpcerr.CredentialsExpired},
		"30 iat ahead within the skew":            {says(claims{"iat": in(29 * time.Second)}), good},
		"30 iat ahead":                            {says(claims{"iat": in(5 * time.Minute)}), rpcerr.CredentialsNotYetValid},
		"30 nbf ahead":                            {says(claims{"nbf": in(5 * time.Minute)}), rpcerr.CredentialsNotYetValid},
		"31 aud in a list of one":                 {says(claims{"aud": []string{payments}}), good},
		"32 aud with a slash behind":              {says(claims{"aud": payments + "/"}), invalid},
		"32 aud in other case":                    {txn(claims{"aud": "Shop.example"}), invalid},
		"32 transaction for a part of the domain": {txn(claims{"aud": "pay.shop.example"}), invalid},
		"33 aud in an empty list":                 {says(claims{"aud": []string{}}), invalid},
		"33 aud in a mixed list":                  {says(claims{"aud": []any{payments, 1}}), invalid},
		"34 aud in a list of two":                 {says(claims{"aud": []string{payments, "x"}}), invalid},
		"35 iss missing":                          {says(claims{"iss": nil}), invalid},
		"35 iss with a slash behind":              {says(claims{"iss": loginName + "/"}), invalid},
		"35 iss in a list":                        {says(claims{"iss": []string{loginName}}), invalid},
		"35 transaction without iss":              {txn(claims{"iss": nil}), invalid},
		"36 sub missing":                          {says(claims{"sub": nil}), invalid},
		"36 sub empty":                            {says(claims{"sub": ""}), invalid},
		"36 sub is a workload":                    {says(claims{"sub": "spiffe://shop.example/orders"}), invalid},
		"36 transaction without txn":              {txn(claims{"txn": nil}), invalid},
		"36 transaction with an empty txn":        {txn(claims{"txn": ""}), invalid},
		"36 transaction whose txn is a number":    {txn(claims{"txn": 5}), invalid},
		"36 transaction without scope":            {txn(claims{"scope": nil}), invalid},
		"36 transaction without req_wl":           {txn(claims{"req_wl": nil}), invalid},
		"36 transaction with an empty req_wl":     {txn(claims{"req_wl": ""}), invalid},
		"36 transaction whose req_wl is a list":   {txn(claims{"req_wl": []string{"a"}}), invalid},
		"37 ID token":                             {typed("JWT"), invalid},
		"37 wit+jwt":                              {typed("wit+jwt"), invalid},
		"37 transaction token by the login":       {typed("txntoken+jwt"), invalid},
		"38 workload's own token as the user's":   {func(t testing.TB, u *users) metadata.MD { return metadata.Pairs(userKey, mint(t, u.w, "orders", nil)) }, invalid},
		"38 access token as a transaction token":  {func(t testing.TB, u *users) metadata.MD { return metadata.Pairs(txnKey, u.accessToken(t, nil)) }, invalid},
		"38 transaction token as an access token": {func(t testing.TB, u *users) metadata.MD { return metadata.Pairs(userKey, u.transactionToken(t, nil)) }, invalid},
		"39 token for another server":             {says(claims{"aud": "spiffe://shop.example/orders"}), invalid},
		"40 two values":                           {raw(userKey, twice), invalid},
		"40 two transaction tokens":               {raw(txnKey, twice), invalid},
		"40 comma":                                {raw(userKey, func(s string) []string { return []string{s + "," + s} }), invalid},
		"40 with a scheme":                        {raw(userKey, func(s string) []string { return []string{"Bearer " + s} }), invalid},
		"40 space before it":                      {raw(userKey, func(s string) []string { return []string{"x " + s} }), invalid},
		"40 empty":                                {raw(userKey, func(string) []string { return []string{""} }), invalid},
		"40 a user in each key": {func(t testing.TB, u *users) metadata.MD {
			return metadata.Pairs(userKey, u.accessToken(t, nil), txnKey, u.transactionToken(t, nil))
		}, invalid},
		"41 in the binary key": {raw(userKey+"-bin", func(s string) []string { return []string{s} }), missing},
		"42 9 KiB":             {raw(userKey, func(s string) []string { return []string{s + strings.Repeat("A", 9000)} }), invalid},
		"42 dots":              {raw(userKey, func(string) []string { return []string{strings.Repeat(".", 8000)} }), invalid},
		"45 scope is a list":   {says(claims{"scope": []string{"a"}}), good},
		"45 scope is a number": {says(claims{"scope": 7}), good}, // which grants nothing
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(
					t,
					paymentsThatSee(t, "alice"),
					&policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}},
				)
				code := codes.Unauthenticated
				if test.want == good {
					code = codes.OK
				}
				sent := test.send(t, u)
				u.everyMode(metadata.NewOutgoingContext(t.Context(), sent), t, code, test.want)
				if values := sent[userKey]; len(values) > 0 && len(sent[txnKey]) == 0 {
					u.inAuthorization(t, values, code, test.want)
				}
			})
		})
	}
}

// paymentsThatSee fails calls of anyone but orders for the user, and calls in which a token is still to be seen.
func paymentsThatSee(t testing.TB, user string) payments {
	see := func(ctx context.Context) {
		p, ok := principal.PeerFromContext(ctx)
		u, there := principal.UserFromContext(ctx)
		if !ok || p.ID.Service() != "orders" || !there || u.Subject != user {
			t.Errorf("the handler sees peer %+v and user %+v", p, u)
		}
		md, _ := metadata.FromIncomingContext(ctx)
		for key, values := range md {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "eyJ") }) {
				t.Errorf("the handler sees a token in %q", key)
			}
		}
	}
	return payments{
		quote: func(ctx context.Context) error { see(ctx); return nil },
		watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			see(s.Context())
			return s.Send(nil)
		},
	}
}

// What the handler learns of the user.
func TestUserFromContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen principal.User
		u := newUsers(t, payments{quote: func(ctx context.Context) error {
			seen, _ = principal.UserFromContext(ctx)
			return nil
		}}, nil)
		start := time.Now()
		if err := quote(auth.AttachUserToken(t.Context(), u.accessToken(t, nil)), u.connection); err != nil {
			t.Fatal(err)
		}
		if seen.Issuer != loginName || seen.Subject != "alice" || !slices.Equal(seen.Scopes, []string{"buy", "browse"}) ||
			!seen.Expires.Equal(start.Add(10*time.Minute)) ||
			seen.Transaction != "" {
			t.Errorf("an access token names %+v", seen)
		}
		if tenant, ok := seen.Claims.String("tenant"); !ok || tenant != "blue" {
			t.Errorf("tenant is %q", tenant)
		}
		if mfa, ok := seen.Claims.Bool("mfa"); !ok || !mfa {
			t.Error("mfa is not true")
		}
		if err := quote(auth.AttachTransactionToken(t.Context(), u.transactionToken(t, nil)), u.connection); err != nil {
			t.Fatal(err)
		}
		if seen.Issuer != mintName || seen.Transaction != "9705-3963" || seen.Requester != "spiffe://shop.example/edge" {
			t.Errorf("a transaction token names %+v", seen)
		}
		if tenant, ok := seen.Claims.String("tctx", "tenant"); !ok || tenant != "blue" {
			t.Errorf("tctx>tenant is %q", tenant)
		}
		if err := quote(t.Context(), u.connection); err != nil || seen.Subject != "" {
			t.Errorf("a call without a user: %v, %+v", err, seen)
		}
	})
}

// A user is no workload: neither kind of token lets anybody in by itself, and in authorization they are nothing at all.
func TestAUserTokenProvesNoWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, nil)
		access, txn := u.accessToken(t, nil), u.transactionToken(t, nil)
		for name, test := range map[string]struct {
			ctx  context.Context
			want rpcerr.Reason
		}{
			"access token alone":                 {auth.AttachUserToken(t.Context(), access), rpcerr.CredentialsMissing},
			"transaction token alone":            {auth.AttachTransactionToken(t.Context(), txn), rpcerr.CredentialsMissing},
			"access token as authorization":      {withBearer(t.Context(), access), rpcerr.CredentialsInvalid},
			"transaction token as authorization": {withBearer(t.Context(), txn), rpcerr.CredentialsInvalid},
			"an honest user of a dishonest peer": {withBearer(auth.AttachUserToken(t.Context(), access), "a.b.c"), rpcerr.CredentialsInvalid},
		} {
			refused(t, name+", unary", quote(test.ctx, u.plain), codes.Unauthenticated, test.want)
			_, err := watch(test.ctx, u.plain)
			refused(t, name+", stream", err, codes.Unauthenticated, test.want)
		}
		refused(
			t,
			"access token as authorization, connection mode",
			quote(withBearer(t.Context(), access), u.connection),
			codes.Unauthenticated,
			rpcerr.CredentialsInvalid,
		)
		err := quote(auth.AttachUserToken(withBearer(t.Context(), mint(t, u.w, "mallory", nil)), access), u.plain)
		refused(t, "a proven caller that is not invited, with a user", err, codes.PermissionDenied, rpcerr.PolicyDenied)
	})
}

// An anonymous method may demand a user all the same: this is where people come in from outside.
func TestUserOfAnAnonymousMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		login := newVouching(t, loginName)
		const health = "/grpc.health.v1.Health/*"
		cc := foreignerTo(t, w, payments{}, tableOf(t, policy.Code(map[string]*policyv1.Policy{health: {Auth: &policyv1.Auth{
			Access: policyv1.Access_ACCESS_ANONYMOUS.Enum(),
			User:   &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Scopes: []string{"browse"}},
		}}})), auth.WithUserIssuers(login.issuer(t)))
		u := &users{w: w, login: login}
		refused(t, "nobody", checkHealth(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsMissing)
		refused(t, "a user", checkHealth(auth.AttachUserToken(t.Context(), u.accessToken(t, nil)), cc), codes.OK, "")
		refused(
			t,
			"a user without the scope",
			checkHealth(auth.AttachUserToken(t.Context(), u.accessToken(t, claims{"scope": "buy"})), cc),
			codes.PermissionDenied,
			rpcerr.PolicyDenied,
		)
		refused(
			t,
			"a bad token",
			checkHealth(auth.AttachUserToken(t.Context(), "a.b.c"), cc),
			codes.Unauthenticated,
			rpcerr.CredentialsInvalid,
		)
	})
}

// A server to which nobody vouches for users takes their tokens out unread.
func TestUserTokensWithoutIssuers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{quote: func(ctx context.Context) error {
			if _, ok := principal.UserFromContext(ctx); ok {
				t.Error("there is a user")
			}
			if md, _ := metadata.FromIncomingContext(ctx); len(md.Get(userKey)) > 0 || len(md.Get(txnKey)) > 0 {
				t.Error("the handler sees the tokens")
			}
			return nil
		}})
		refused(
			t,
			"call",
			quote(auth.AttachTransactionToken(auth.AttachUserToken(t.Context(), "a.b.c"), "d.e.f"), p.cc),
			codes.OK,
			"",
		)
	})
}

// Nor does the handler of an anonymous method see a token, whoever brings it, in unary or stream form.
func TestAnonymousHandlersSeeNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		roots, certificate := w.certificate()
		look := func(ctx context.Context) {
			for _, key := range []string{userKey, txnKey, "authorization"} {
				if seen := metadata.ValueFromIncomingContext(ctx, key); len(seen) > 0 {
					t.Errorf("the handler sees %s", key)
				}
			}
		}
		s := serve(
			t,
			payments{},
			append(
				w.identity("payments").ServerOptions(tableOf(t, policy.Code(auth.HealthPolicy())), auth.WithBearer(certificate)),
				grpc.ChainUnaryInterceptor(
					func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
						look(ctx)
						return h(ctx, req)
					},
				),
				grpc.ChainStreamInterceptor(
					func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
						look(stream.Context())
						return h(srv, stream)
					},
				),
			)...)
		cc := dial(t, s.dialer, grpc.WithAuthority("localhost"), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13,
		})))
		ctx := auth.AttachTransactionToken(auth.AttachUserToken(t.Context(), "a.b.c"), "d.e.f")
		refused(t, "unary", checkHealth(ctx, cc), codes.OK, "")
		stream, err := grpc_health_v1.NewHealthClient(cc).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		refused(t, "stream", err, codes.OK, "")
	})
}

// A stream ends with the earlier of the two credentials: that of the caller, which can be renewed, or
// the user's, which cannot.
func TestStreamEndsWithItsUser63(t *testing.T) {
	for name, test := range map[string]struct {
		user, bearer time.Duration
		want         time.Duration
		code         codes.Code
		reason       rpcerr.Reason
	}{
		"the user is first": {
			5 * time.Second, 10 * time.Minute, 35 * time.Second, codes.Unauthenticated, rpcerr.CredentialsExpired,
		},
		"the caller is first": {10 * time.Minute, 5 * time.Second, 35 * time.Second, codes.Unavailable, rpcerr.PlannedEnd},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(t, payments{watch: block}, nil)
				ctx := auth.AttachUserToken(t.Context(), u.accessToken(t, claims{"exp": in(test.user)}))
				start := time.Now()
				stream, err := watch(withBearer(ctx, mint(t, u.w, "orders", claims{"exp": in(test.bearer)})), u.plain)
				if err != nil {
					t.Fatal(err)
				}
				_, err = stream.Recv()
				refused(t, "token mode", err, test.code, test.reason)
				if lived := time.Since(start); lived != test.want {
					t.Errorf("token mode: the stream lived %v, want exp + skew = %v", lived, test.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{watch: block}, nil)
		start := time.Now()
		stream, err := watch(auth.AttachTransactionToken(t.Context(), u.transactionToken(t, nil)), u.connection)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, "connection mode", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if lived := time.Since(start); lived != 150*time.Second {
			t.Errorf("connection mode: the stream lived %v, want exp + skew = 150s", lived)
		}
		refused(t, "another call on the connection", quote(t.Context(), u.connection), codes.OK, "")
	})
}

// A key of an issuer of users that is revoked ends the streams of the users for whom it vouched at once, and no others.
func TestStreamEndsWithTheKeyOfItsUser59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		staff := newVouching(t, "https://staff.shop.example")
		jwk, err := staff.key.Public().MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(`{"keys":[`+string(jwk)+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		keys := keyset.File(path)
		t.Cleanup(func() { _ = keys.Close() })
		if err := keys.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		u := newUsers(t, payments{watch: block}, nil, auth.WithUserIssuers(auth.Issuer{Name: staff.name, Keys: keys}))
		access := sign(t, staff.key, "at+jwt", u.accessClaims().with(claims{"iss": staff.name}))
		streams := map[string]grpc.ServerStreamingClient[paymentsv1.WatchChargeResponse]{}
		for name, ctx := range map[string]context.Context{
			"access token":      auth.AttachUserToken(t.Context(), access),
			"transaction token": auth.AttachTransactionToken(t.Context(), u.transactionToken(t, nil)),
		} {
			stream, err := watch(ctx, u.connection)
			if err != nil {
				t.Fatal(err)
			}
			streams[name] = stream
		}
		start := time.Now()
		keys.Invalidate(staff.key.Public().Thumbprint())
		_, err = streams["access token"].Recv()
		refused(t, "stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if lived := time.Since(start); lived != 0 {
			t.Errorf("the stream lived for another %v", lived)
		}
		refused(
			t,
			"call",
			quote(auth.AttachUserToken(t.Context(), access), u.connection),
			codes.Unauthenticated,
			rpcerr.CredentialsInvalid,
		)
		_, err = streams["transaction token"].Recv()
		refused(t, "the other stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if lived := time.Since(start); lived != 150*time.Second {
			t.Errorf("the other stream lived %v, want exp + skew = 150s", lived)
		}
	})
}

// Who is wrong about the issuers of users is told before the server starts.
func TestMistakesInUserIssuers(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	login := newVouching(t, loginName).issuer(t)
	with := func(change func(*auth.Issuer)) auth.Issuer {
		is := login
		change(&is)
		return is
	}
	for name, test := range map[string]struct {
		opts []auth.ServerOption
		want string
	}{
		"no keys":                     {[]auth.ServerOption{auth.WithUserIssuers(auth.Issuer{Name: "a"})}, `auth: Issuer "a": it has no Keys`},
		"twice":                       {[]auth.ServerOption{auth.WithUserIssuers(login, login)}, `is there twice`},
		"subjects":                    {[]auth.ServerOption{auth.WithUserIssuers(with(func(i *auth.Issuer) { i.Subjects = []principal.Pattern{w.id("orders")} }))}, `has Subjects, which are workloads`},
		"two services for one domain": {[]auth.ServerOption{auth.WithTransactionTokens(login), auth.WithTransactionTokens(login)}, `WithTransactionTokens is there twice`},
		"transactions for an hour":    {[]auth.ServerOption{auth.WithTransactionTokens(with(func(i *auth.Issuer) { i.Profile.MaxLifetime = time.Hour }))}, `it must be at most 5m0s`},
		"transactions for anybody":    {[]auth.ServerOption{auth.WithTransactionTokens(with(func(i *auth.Issuer) { i.Audiences = []string{"x"} }))}, `it makes transaction tokens, of which only`},
	} {
		if err := w.identity(
			"payments",
		).Server(
			nil,
			test.opts...).Check(); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
