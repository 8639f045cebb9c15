package framework_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// keySet writes a JSON Web Key Set of one key.
func keySet(t *testing.T) string {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, fmt.Sprintf(`{"keys":[%s]}`, jwk))
}

// A configuration file names who vouches for users, and its policies may demand them.
func TestUsersInTheConfiguration(t *testing.T) {
	t.Parallel()
	const demand = `
policies:
  /shop.payments.v1.PaymentsService/Charge:
    auth:
      allow:
      - {name: checkout, peers: [orders], user: {issuers: ["https://login.example"], claims: [{path: [mfa], equals: true}]}}
      - {name: night, predicates: [at-night]}
      user: {presence: required}
`
	night := framework.WithAuth(auth.WithPredicate("at-night", func(context.Context, policy.Call) bool { return true }))
	for name, test := range map[string]struct {
		config string
		option framework.Option
		want   string
	}{
		"good": {
			fmt.Sprintf(
				"users: {issuers: [{issuer: https://login.example, keys_file: %q}], transactions: {issuer: "+
					"https://txn.example, keys_file: %q, max_lifetime: 2m}}",
				keySet(t), keySet(t),
			) + demand,
			night, "",
		},
		"nobody vouches": {demand, night, `name one in users.issuers, or WithUserIssuers`},
		"in authorization": {
			fmt.Sprintf("users: {issuers: [{issuer: https://login.example, keys_file: %q}]}\n", keySet(t)) +
				"servers: {payments: {user_authorization: true}}\n" + demand, night, "",
		},
		"in authorization, and nobody vouches": {
			"servers: {payments: {user_authorization: true}}", nil,
			`servers.payments: user_authorization: nobody vouches for users; name an issuer in users.issuers`,
		},
		"no such predicate": {
			fmt.Sprintf("users: {issuers: [{issuer: https://login.example, keys_file: %q}]}", keySet(t)) + demand, nil,
			`the server has no predicate "at-night"`,
		},
		"no provider": {
			"users: {issuers: [{issuer: login}]}" + demand, night, `users.issuers[0].keys: URL login: it names no host`,
		},
		"algorithms": {
			fmt.Sprintf(
				"users: {issuers: [{issuer: https://login.example, keys_file: %q, algorithms: [EdDSA, RS256]}]}", keySet(t),
			) + demand,
			night, "",
		},
		"algorithms of transaction tokens": {
			fmt.Sprintf(
				"users: {transactions: {issuer: https://txn.example, keys: {file: %q, algorithms: [EdDSA], uses: [sig]}}}",
				keySet(t),
			),
			nil, "",
		},
		"a product's transaction tokens": {
			fmt.Sprintf("users: {transactions: {issuer: https://txn.example, provider: okta, keys_file: %q}}", keySet(t)),
			nil, "users.transactions: it makes transaction tokens, of which only issuer, keys, required_claims",
		},
		"shared secrets": {
			fmt.Sprintf(
				"users: {issuers: [{issuer: https://login.example, keys_file: %q, algorithms: [HS256]}]}", keySet(t),
			) + demand,
			night, `users.issuers[0].keys: algorithms: "HS256" is none of`,
		},
		"algorithms of no key": {
			fmt.Sprintf(
				"users: {issuers: [{issuer: https://login.example, keys_file: %q, algorithms: [RS256]}]}", keySet(t),
			) + demand,
			night, `no key of the set is usable`,
		},
		"file and URL": {
			"users: {issuers: [{issuer: https://login.example, keys_file: a, keys_url: https://b}]}" + demand, night,
			`users.issuers[0]: the file and the URL of its keys contradict each other`,
		},
		"no such file": {
			"users: {transactions: {issuer: https://txn.example, keys_file: /not/there}}" + demand, night,
			`users.transactions.keys: /not/there: /not: does not exist; put it there`,
		},
		"too long a life": {
			fmt.Sprintf(
				"users: {transactions: {issuer: https://txn.example, keys_file: %q, max_lifetime: 1h}}", keySet(t),
			) + demand,
			night, `users.transactions: max_lifetime of a transaction token is 1h0m0s; it must be at most 5m0s`,
		},
		"an unknown section": {"users: {issuer: []}", night, `unknown key "issuer"; did you mean "issuers"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			config := fmt.Sprintf(
				"identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\n",
				dir,
				keyFile,
			) + test.config
			options := []framework.Option{framework.WithConfigFile(writeFile(t, config))}
			if test.option != nil {
				options = append(options, test.option)
			}
			err := newPayments(t, options...).Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Check = %v, want %q", err, test.want)
			}
		})
	}
	app := framework.New(
		"payments",
		framework.WithEnviron(nil),
		framework.WithInsecureDev(),
		framework.WithConfigFile(
			writeFile(t, fmt.Sprintf("users: {transactions: {issuer: a, keys_file: %q}}", filepath.Join(t.TempDir(), "k"))),
		),
	)
	t.Cleanup(func() { _ = app.Close() })
	if err := app.Check(); err == nil || !strings.Contains(err.Error(), "so the tokens of users are not read") {
		t.Errorf("Check = %v, want that users and WithInsecureDev contradict each other", err)
	}
}

// A transaction token goes on by itself from App to App within the trust domain, and the user's own token does not.
func TestTheUserGoesOnFromAppToApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := jose.GenerateKey(jose.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := key.Public().MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		keys := keyset.Static(fmt.Appendf(nil, `{"keys":[%s]}`, jwk))
		vouched := framework.WithAuth(
			auth.WithTransactionTokens(auth.Issuer{Name: "https://txn.example", Keys: keys}),
			auth.WithUserIssuers(auth.Issuer{Name: "https://login.example", Keys: keys}))
		n := frameworktest.NewNetwork(t)
		var seen []string
		see := func(name string) framework.Option {
			return framework.WithHandlerInterceptors(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
					user, _ := principal.UserFromContext(ctx)
					seen = append(seen, name+" for "+user.Subject)
					return handler(ctx, req)
				},
				func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
					return handler(srv, stream)
				},
			)
		}
		paymentsv1.RegisterPaymentsServiceServer(n.Server(n.App("payments", vouched, see("payments"))), &bank{})
		orders := n.App("orders", vouched, see("orders"))
		ordersv1.RegisterOrdersServiceServer(
			n.Server(orders),
			&quoting{payments: paymentsv1.NewPaymentsServiceClient(orders.Client("payments"))},
		)
		n.Start()
		web := ordersv1.NewOrdersServiceClient(n.App("web").Client("orders"))
		sign := func(typ, claims string) string {
			now := time.Now().Unix()
			token, err := key.Sign(typ, fmt.Appendf(nil, claims, now, now+120))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		txn := sign(
			"txntoken+jwt",
			`{"iss":"https://txn.example","sub":"alice","aud":"`+frameworktest.TrustDomain+`","iat":%d,"exp":%d,"txn":"1","scope":"buy","req_wl":"web"}`,
		)
		access := sign(
			"at+jwt",
			`{"iss":"https://login.example","sub":"bob","aud":"spiffe://`+frameworktest.TrustDomain+`/orders","iat":%d,"exp":%d,"jti":"1"}`,
		)
		for _, ctx := range []context.Context{
			auth.AttachTransactionToken(t.Context(), txn), auth.AttachUserToken(t.Context(), access),
		} {
			if _, err := web.GetOrder(ctx, &ordersv1.GetOrderRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"orders for alice", "payments for alice", "orders for bob", "payments for "}
		if !slices.Equal(seen, want) {
			t.Errorf("the handlers saw %q, want %q", seen, want)
		}
	})
}
