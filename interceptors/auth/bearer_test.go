package auth_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// mint is a token of a service for payments, honest but for what change alters.
func mint(t testing.TB, w *world, service string, change claims) string {
	t.Helper()
	return sign(t, w.key(service), "at+jwt", tokenClaims(w, service).with(change))
}

// tokenClaims are those of an honest token of a service for payments.
func tokenClaims(w *world, service string) claims {
	id := w.id(service).String()
	return claims{"iss": id, "sub": id, "aud": w.id("payments").String(), "iat": in(0), "exp": in(10 * time.Minute), "jti": "1"}
}

func withBearer(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// foreigner is a connection of a client that is not Parley to a server that was opened to such.
func foreigner(t testing.TB, w *world, impl payments, layers ...policy.Layer) *grpc.ClientConn {
	t.Helper()
	return foreignerTo(t, w, impl, tableOf(t, layers...))
}

// foreignerTo is foreigner for a server of this table that takes further options.
func foreignerTo(t testing.TB, w *world, impl payments, table *policy.Table, opts ...auth.ServerOption) *grpc.ClientConn {
	t.Helper()
	roots, certificate := w.certificate()
	s := serve(t, impl, w.identity("payments").ServerOptions(table, append(opts, auth.WithBearer(certificate))...)...)
	return dial(t, s.dialer, grpc.WithAuthority("localhost"), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13,
	})))
}

func TestBearerTokens(t *testing.T) {
	type script func(t testing.TB, w *world) []string
	one := func(service string, change claims) script {
		return func(t testing.TB, w *world) []string { return []string{"Bearer " + mint(t, w, service, change)} }
	}
	says := func(change claims) script { return one("orders", change) }
	raw := func(form func(token string) []string) script {
		return func(t testing.TB, w *world) []string { return form(mint(t, w, "orders", nil)) }
	}
	typed := func(typ string) script {
		return func(t testing.TB, w *world) []string {
			id := w.id("orders").String()
			return []string{"Bearer " + sign(t, w.key("orders"), typ, claims{
				"iss": id, "sub": id, "aud": w.id("payments").String(), "iat": in(0), "exp": in(time.Minute), "jti": "1",
			})}
		}
	}
	const (
		payments = "spiffe://shop.example/payments"
		mallory  = "spiffe://shop.example/mallory"
		invalid  = rpcerr.CredentialsInvalid
		good     = rpcerr.Reason("")
	)
	for name, test := range map[string]struct {
		send script
		want rpcerr.Reason
	}{
		"0 honest":                               {says(nil), good},
		"0 no token":                             {func(testing.TB, *world) []string { return nil }, rpcerr.CredentialsMissing},
		"9 key of another workload":              {one("mallory", claims{"iss": "spiffe://shop.example/orders", "sub": "spiffe://shop.example/orders"}), invalid},
		"9 sub of another workload":              {one("mallory", claims{"sub": "spiffe://shop.example/orders"}), invalid},
		"9 iss of another workload":              {one("mallory", claims{"iss": "spiffe://shop.example/orders"}), invalid},
		"9 unknown key":                          {strangerToken, invalid},
		"22 exp missing":                         {says(claims{"exp": nil}), invalid},
		"22 iat missing":                         {says(claims{"iat": nil}), invalid},
		"22 jti missing":                         {says(claims{"jti": nil}), invalid},
		"22 jti empty":                           {says(claims{"jti": ""}), invalid},
		"23 exp 0":                               {says(claims{"exp": 0}), invalid},
		"24 exp in words":                        {says(claims{"exp": "1893456000"}), invalid},
		"25 exp in the year 33658":               {says(claims{"exp": 1e12}), invalid},
		"26 exp null":                            {func(t testing.TB, w *world) []string { return []string{"Bearer " + nullExp(t, w)} }, invalid},
		"27 exp with a fraction":                 {says(claims{"exp": inHalf(10 * time.Minute)}), good},
		"28 an hour and a second":                {says(claims{"exp": in(time.Hour + time.Second)}), invalid},
		"28 an hour":                             {says(claims{"exp": in(time.Hour)}), good},
		"29 expired within the skew":             {says(claims{"iat": in(-time.Minute), "exp": in(-28 * time.Second)}), good},
		"29 expired":                             {says(claims{"iat": in(-time.Minute), "exp": in(-32 * time.Second)}), rpcerr.CredentialsExpired},
		"29 expired, for another server":         {says(claims{"iat": in(-time.Minute), "exp": in(-32 * time.Second), "aud": mallory}), invalid},
		"30 iat ahead within the skew":           {says(claims{"iat": in(29 * time.Second)}), good},
		"30 iat ahead":                           {says(claims{"iat": in(5 * time.Minute)}), rpcerr.CredentialsNotYetValid},
		"30 nbf ahead":                           {says(claims{"nbf": in(5 * time.Minute)}), rpcerr.CredentialsNotYetValid},
		"30 nbf in words":                        {says(claims{"nbf": "soon"}), invalid},
		"31 aud as text":                         {says(claims{"aud": payments}), good},
		"31 aud in a list of one":                {says(claims{"aud": []string{payments}}), good},
		"32 aud with a slash behind":             {says(claims{"aud": payments + "/"}), invalid},
		"32 aud in other case":                   {says(claims{"aud": "spiffe://shop.example/PAYMENTS"}), invalid},
		"32 aud that begins like it":             {says(claims{"aud": payments + "2"}), invalid},
		"33 aud in an empty list":                {says(claims{"aud": []string{}}), invalid},
		"33 aud in a mixed list":                 {says(claims{"aud": []any{payments, 1}}), invalid},
		"34 aud in a list of two":                {says(claims{"aud": []string{payments, mallory}}), invalid},
		"34 aud twice in a list":                 {says(claims{"aud": []string{payments, payments}}), invalid},
		"35 iss missing":                         {says(claims{"iss": nil}), invalid},
		"35 iss with a slash behind":             {says(claims{"iss": "spiffe://shop.example/orders/"}), invalid},
		"36 sub missing":                         {says(claims{"sub": nil}), invalid},
		"36 sub empty":                           {says(claims{"sub": ""}), invalid},
		"37 typ JWT":                             {typed("JWT"), invalid},
		"37 typ wit+jwt":                         {typed("wit+jwt"), invalid},
		"38 proof of a handshake":                {typed("parley-client+jwt"), invalid},
		"39 token for another server":            {says(claims{"aud": mallory}), invalid},
		"39 foreign trust domain":                {one("spiffe://other.example/orders", nil), invalid},
		"40 two values":                          {raw(func(s string) []string { return []string{"Bearer " + s, "Bearer " + s} }), invalid},
		"40 two values, one bad":                 {raw(func(s string) []string { return []string{"Bearer " + s, "Basic x"} }), invalid},
		"40 comma":                               {raw(func(s string) []string { return []string{"Bearer " + s + ",Bearer " + s} }), invalid},
		"40 lower-case scheme":                   {raw(func(s string) []string { return []string{"bearer " + s} }), good},
		"40 other scheme":                        {raw(func(s string) []string { return []string{"DPoP " + s} }), invalid},
		"40 no scheme":                           {raw(func(s string) []string { return []string{s} }), invalid},
		"40 two spaces":                          {raw(func(s string) []string { return []string{"Bearer  " + s} }), invalid},
		"40 upper-case scheme":                   {raw(func(s string) []string { return []string{"BEARER " + s} }), good},
		"40 no token":                            {raw(func(string) []string { return []string{"Bearer "} }), invalid},
		"42 9 KiB":                               {raw(func(s string) []string { return []string{"Bearer " + s + strings.Repeat("A", 9000)} }), invalid},
		"44 padding":                             {raw(func(s string) []string { return []string{"Bearer " + s + "="} }), invalid},
		"44 space behind":                        {raw(func(s string) []string { return []string{"Bearer " + s + " x"} }), invalid},
		"46 four segments":                       {raw(func(s string) []string { return []string{"Bearer " + s + ".x"} }), invalid},
		"46 dots":                                {raw(func(string) []string { return []string{"Bearer " + strings.Repeat(".", 8000)} }), invalid},
		"2 signature of nobody":                  {raw(func(s string) []string { return []string{"Bearer " + s[:len(s)-86] + strings.Repeat("A", 86)} }), invalid},
		"45 scope is a list":                     {says(claims{"scope": []string{"a"}}), invalid},
		"45 scope with a quote":                  {says(claims{"scope": `a"b`}), invalid},
		"45 scope with two spaces":               {says(claims{"scope": "a  b"}), invalid},
		"0 scopes that the method does not want": {says(claims{"scope": "a b"}), good},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "mallory", "payments", "spiffe://other.example/orders")
				cc := foreigner(t, w, paymentsThatExpect(t, w.id("orders")))
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{"authorization": test.send(t, w)})
				code := codes.Unauthenticated
				if test.want == good {
					code = codes.OK
				}
				refused(t, "unary call", quote(ctx, cc), code, test.want)
				_, err := watch(ctx, cc)
				refused(t, "stream", err, code, test.want)
			})
		})
	}
}

func strangerToken(t testing.TB, w *world) []string {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	id := w.id("orders").String()
	return []string{"Bearer " + sign(t, key, "at+jwt", claims{
		"iss": id, "sub": id, "aud": w.id("payments").String(), "iat": in(0), "exp": in(time.Minute), "jti": "1",
	})}
}

func nullExp(t testing.TB, w *world) string {
	token, err := w.key("orders").Sign("at+jwt", []byte(`{"iss":"spiffe://shop.example/orders","exp":null}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// paymentsThatExpect fails calls of anyone but the caller, and calls in which a credential is still to be seen.
func paymentsThatExpect(t testing.TB, caller principal.ID) payments {
	see := func(ctx context.Context) {
		if p, ok := principal.PeerFromContext(ctx); !ok || p.ID != caller || p.Carrier != principal.CarrierToken {
			t.Errorf("the handler sees %+v, %v", p, ok)
		}
		if seen := metadata.ValueFromIncomingContext(ctx, "authorization"); len(seen) != 0 {
			t.Errorf("the handler sees the credential %q", seen)
		}
	}
	return payments{quote: func(ctx context.Context) error { see(ctx); return nil }, watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
		see(s.Context())
		return s.Send(nil)
	}}
}

func TestTokenOfAWorkloadThatWasJustEnrolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		gate := w.identity("payments").Server(nil)
		time.Sleep(10 * time.Second)
		w.enroll("orders")
		token, err := w.identity("orders").Token(w.id("payments"), nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if peer, err := auth.VerifyBearer(t.Context(), gate, token); err != nil || peer.ID != w.id("orders") {
			t.Errorf("its first call: %v, %v", peer.ID, err)
		}
	})
}

// What gRPC's own client does not send, others may.
func TestAttack40Authorization(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	gate := w.identity("payments").Server(nil)
	for _, value := range []string{"", " ", "Bearer", "Bearer\tabc", "Bearer\u00a0abc", "\tBearer abc", "Bearer\nabc", "BearerX abc"} {
		if _, err := auth.ReadPeer(t.Context(), gate, value); err == nil || !strings.Contains(err.Error(), "not a scheme Bearer") {
			t.Errorf("%q: %v", value, err)
		}
	}
}
