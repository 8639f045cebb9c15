package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

func tableOf(t testing.TB, layers ...policy.Layer) *policy.Table {
	t.Helper()
	table, err := policy.New(layers...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// narrow is a layer about GetQuote and WatchCharge, whose .proto lets orders call.
func narrow(a *policyv1.Auth) policy.Layer {
	return policy.Code(map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_GetQuote_FullMethodName:    {Auth: a},
		paymentsv1.PaymentsService_WatchCharge_FullMethodName: {Auth: a},
	})
}

// Who may call GetQuote and WatchCharge, which the .proto gives to orders alone, when a layer narrows them.
func TestPeerPolicy(t *testing.T) {
	const (
		ok         = codes.OK
		denied     = codes.PermissionDenied
		unknown    = codes.Unauthenticated
		connection = "connection"
		token      = "token"
		nothing    = "nothing"
	)
	for name, test := range map[string]struct {
		auth   *policyv1.Auth
		caller string
		by     string
		want   codes.Code
	}{
		"listed in the .proto":                  {nil, "orders", connection, ok},
		"listed in the .proto, by token":        {nil, "orders", token, ok},
		"not listed":                            {nil, "mallory", connection, denied},
		"not listed, by token":                  {nil, "mallory", token, denied},
		"nobody":                                {nil, "", nothing, unknown},
		"same name in an accepted domain":       {nil, "spiffe://partner.example/orders", connection, denied},
		"a layer lists others: conjunction":     {&policyv1.Auth{Peers: []string{"reports"}}, "orders", connection, denied},
		"a layer lists it by its full ID":       {&policyv1.Auth{Peers: []string{"spiffe://shop.example/orders"}}, "orders", connection, ok},
		"a layer lists it by a pattern":         {&policyv1.Auth{Peers: []string{"spiffe://shop.example/*"}}, "orders", connection, ok},
		"a pattern does not widen the .proto":   {&policyv1.Auth{Peers: []string{"spiffe://shop.example/*"}}, "mallory", connection, denied},
		"denied to everybody":                   {&policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()}, "orders", connection, denied},
		"denied to everybody, and nobody asks":  {&policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()}, "", nothing, unknown},
		"only by connection":                    {&policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum()}, "orders", connection, ok},
		"only by connection, comes by token":    {&policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum()}, "orders", token, denied},
		"a token will do, comes by connection":  {&policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_TOKEN.Enum()}, "orders", connection, ok},
		"scope in the token":                    {&policyv1.Auth{Scopes: []string{"b"}}, "orders", token, ok},
		"scope not in the token":                {&policyv1.Auth{Scopes: []string{"b", "c"}}, "orders", token, denied},
		"a connection carries no scopes":        {&policyv1.Auth{Scopes: []string{"b"}}, "orders", connection, denied},
		"scope that is a part of another":       {&policyv1.Auth{Scopes: []string{"a b"}}, "orders", token, denied},
		"anonymous does not loosen the .proto":  {&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()}, "mallory", connection, denied},
		"anonymous does not loosen for nobody":  {&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()}, "", nothing, unknown},
		"authenticated does not open the peers": {&policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum()}, "mallory", token, denied},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "mallory", "payments", "spiffe://partner.example/orders")
				var layers []policy.Layer
				if test.auth != nil {
					layers = append(layers, narrow(test.auth))
				}
				ctx := t.Context()
				var cc *grpc.ClientConn
				switch test.by {
				case connection:
					partner := auth.WithAcceptDomains(domainOf(t, "partner.example"), w.domain)
					s := serve(t, payments{}, w.identity("payments", partner).ServerOptions(tableOf(t, layers...))...)
					cc = dial(t, s.dialer, w.identity(test.caller, partner).DialOptions(w.id("payments"))...)
				case token:
					cc = foreigner(t, w, payments{}, layers...)
					ctx = withBearer(ctx, mint(t, w, test.caller, claims{"scope": "a b"}))
				default:
					cc = foreigner(t, w, payments{}, layers...)
				}
				reason := map[codes.Code]rpcerr.Reason{denied: rpcerr.PolicyDenied, unknown: rpcerr.CredentialsMissing}[test.want]
				refused(t, "unary call", quote(ctx, cc), test.want, reason)
				_, err := watch(ctx, cc)
				refused(t, "stream", err, test.want, reason)
			})
		})
	}
}

// The health service is open to anyone under the policy that this package offers for it, and to nobody without.
func TestAnonymousMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		check := checkHealth
		open := foreigner(t, w, payments{}, policy.Code(auth.HealthPolicy()))
		refused(t, "anonymous", check(t.Context(), open), codes.OK, "")
		refused(t, "with a token", check(withBearer(t.Context(), mint(t, w, "orders", nil)), open), codes.OK, "")
		refused(t, "with a token that does not hold", check(withBearer(t.Context(), "a.b.c"), open), codes.Unauthenticated, rpcerr.CredentialsInvalid)

		shut := foreigner(t, w, payments{})
		refused(t, "no decision, nobody", check(t.Context(), shut), codes.Unauthenticated, rpcerr.CredentialsMissing)
		refused(t, "no decision, proven", check(withBearer(t.Context(), mint(t, w, "orders", nil)), shut), codes.PermissionDenied, rpcerr.PolicyDenied)
	})
}

func checkHealth(ctx context.Context, cc *grpc.ClientConn) error {
	_, err := grpc_health_v1.NewHealthClient(cc).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}

// A server that has methods without a decision does not start, and says which and what to do.
func TestResolve67(t *testing.T) {
	w := newWorld(t)
	payment := w.identity("payments")
	methods := []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check",
		paymentsv1.PaymentsService_GetQuote_FullMethodName,
		"/not.linked.Service/Do",
	}
	err := payment.Server(policy.FromProto()).Resolve(methods...)
	var undecided *policy.UndecidedError
	if !errors.As(err, &undecided) || len(undecided.Methods) != 4 {
		t.Fatalf("Resolve says %v", err)
	}
	for _, want := range []string{
		"/grpc.health.v1.Health/Check, /grpc.health.v1.Health/Watch, /grpc.reflection.v1.ServerReflection/ServerReflectionInfo, /not.linked.Service/Do",
		"option (parley.policy.v1.method) = {auth: {access: ACCESS_AUTHENTICATED}}",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	full := tableOf(t, policy.Code(auth.HealthPolicy()), policy.Code(auth.ReflectionPolicy()))
	if err := payment.Server(full).Resolve(methods[:4]...); err != nil {
		t.Errorf("with the policies of this package: %v", err)
	}

	bad := tableOf(t, narrow(&policyv1.Auth{Peers: []string{"orders", "spiffe://*/orders", "ord*", "../orders"}}))
	err = payment.Server(bad).Resolve(methods...)
	for _, want := range []string{"spiffe://*/orders", "ord*", "../orders", "gate_test.go:", "/not.linked.Service/Do"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
}

// A reload of the policy takes hold between two calls, and one with a mistake changes nothing.
func TestPolicyReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		table := policy.FromProto()
		s := serve(t, payments{}, w.identity("payments").ServerOptions(table)...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		refused(t, "before", quote(t.Context(), cc), codes.OK, "")
		if err := table.Replace(narrow(&policyv1.Auth{Peers: []string{"a*b"}})); err == nil {
			t.Error("a policy with a bad pattern was taken")
		}
		refused(t, "after a bad reload", quote(t.Context(), cc), codes.OK, "")
		if err := table.Replace(narrow(&policyv1.Auth{Peers: []string{"reports"}})); err != nil {
			t.Error(err)
		}
		refused(t, "after a reload", quote(t.Context(), cc), codes.PermissionDenied, rpcerr.PolicyDenied)
	})
}

// The interceptors of one server do not take the word of another one's credentials.
func TestForeignGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "ledger")
		mixed := w.identity("payments").Server(nil).TransportOptions()
		ledger := w.identity("ledger").Server(nil)
		s := serve(t, payments{}, append(mixed, grpc.UnaryInterceptor(ledger.UnaryServerInterceptor))...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		refused(t, "call", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

// Without the credentials of this package nobody has proven anything.
func TestInterceptorsAlone(t *testing.T) {
	w := newWorld(t)
	gate := w.identity("payments").Server(nil)
	_, err := gate.UnaryServerInterceptor(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: paymentsv1.PaymentsService_GetQuote_FullMethodName},
		func(context.Context, any) (any, error) { return nil, errUnexpected })
	refused(t, "call", err, codes.Unauthenticated, rpcerr.CredentialsMissing)
}

func TestSystemPolicies(t *testing.T) {
	for key, p := range auth.HealthPolicy() {
		if !proto.Equal(p, &policyv1.Policy{Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()}}) {
			t.Errorf("%s: %v", key, p)
		}
	}
	for key, p := range auth.ReflectionPolicy() {
		if !proto.Equal(p, &policyv1.Policy{Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum()}}) {
			t.Errorf("%s: %v", key, p)
		}
	}
}
