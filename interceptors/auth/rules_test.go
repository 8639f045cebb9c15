package auth_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// A rule for many services refuses where it can hold, and is no mistake on a server that takes neither tokens nor
// users.
func TestWideDenyRules(t *testing.T) {
	wide := func(a *policyv1.Auth, opts ...auth.ServerOption) error {
		w := newWorld(t)
		w.enroll("payments")
		table := tableOf(t, policy.Code(map[string]*policyv1.Policy{"/shop.*": {Auth: a}}))
		gate := w.identity("payments").Server(table, opts...)
		return gate.Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName)
	}
	guests := &policyv1.UserCondition{SubjectPrefix: []string{"guest-"}}
	claim := []*policyv1.Claim{{Path: []string{"env"}, Exists: new(true)}}
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		want string // "" for no mistake
	}{
		"a deny rule about users":  {&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), User: guests}}}, ""},
		"a deny rule about claims": {&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Claims: claim}}}, ""},
		"a deny rule about a partner": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"spiffe://partner.example/*"}}}},
			"",
		},
		"issuers of users who may be": {&policyv1.Auth{User: &policyv1.User{Issuers: []string{loginName}}}, ""},
		"users who must be": {
			&policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}},
			"auth.user.presence: it can never hold",
		},
		"an allow rule about users": {
			&policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("r"), User: guests}}},
			"it can never hold",
		},
		"a predicate that is not there": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Predicates: []string{"p"}}}},
			"the server has no predicate",
		},
		"peers that are no pattern": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"guest-*"}}}},
			"principal: ID pattern",
		},
		"scopes": {&policyv1.Auth{Scopes: []string{"a"}}, "auth.scopes: it can never hold"},
	} {
		err := wide(test.auth)
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	denied := &policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), User: guests}}}
	users := auth.WithUserIssuers(newVouching(t, loginName).issuer(t))
	if err := wide(denied, auth.WithBearer(evilCertificate(t)), users); err != nil {
		t.Error(err)
	}
	w := newWorld(t)
	w.enroll("payments")
	kept := tableOf(t, policy.Code(map[string]*policyv1.Policy{
		"/*": {
			Auth: &policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"billing"}}}},
		},
		"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Peers: []string{"orders", "reports"}}},
	}))
	if err := w.identity("payments").Server(kept).Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName); err != nil {
		t.Errorf("a rule for all, about callers whom one service keeps out: %v", err)
	}
}

// A predicate decides on what only the program understands. It sees the request of a unary call and none of a stream.
func TestPredicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := auth.WithPredicate("own-order", func(_ context.Context, call policy.Call) bool {
			request, unary := call.Request.(*paymentsv1.GetQuoteRequest)
			return call.User != nil && (!unary || request.GetOrderId() == call.User.Subject)
		})
		u := newUsers(t, payments{}, &policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("own"), Predicates: []string{"own-order"}}}}, own)
		ctx := auth.AttachUserToken(t.Context(), u.accessToken(t, nil))
		ask := func(ctx context.Context, order string) error {
			_, err := paymentsv1.NewPaymentsServiceClient(u.connection).GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: order})
			return err
		}
		refused(t, "her own order", ask(ctx, "alice"), codes.OK, "")
		refused(t, "that of another", ask(ctx, "bob"), codes.PermissionDenied, rpcerr.PolicyDenied)
		refused(t, "no user", ask(t.Context(), "alice"), codes.PermissionDenied, rpcerr.PolicyDenied)
		_, err := watch(ctx, u.connection)
		refused(t, "stream", err, codes.OK, "")
	})
}

// A predicate that panics refuses the call, in a deny and in an allow rule alike, and ends nothing else.
func TestPredicatePanics69(t *testing.T) {
	panics := auth.WithPredicate("panics", func(context.Context, policy.Call) bool { panic("no idea") })
	rule := []*policyv1.Rule{{Name: new("r"), Predicates: []string{"panics"}}}
	other := &policyv1.Rule{Name: new("o"), Peers: []string{"orders"}}
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		want codes.Code
	}{
		"in a deny rule":                         {&policyv1.Auth{Deny: rule}, codes.PermissionDenied},
		"in an allow rule":                       {&policyv1.Auth{Allow: rule}, codes.PermissionDenied},
		"in an allow rule before one that holds": {&policyv1.Auth{Allow: []*policyv1.Rule{rule[0], other}}, codes.PermissionDenied},
		"in an allow rule behind one that holds": {&policyv1.Auth{Allow: []*policyv1.Rule{other, rule[0]}}, codes.OK},
		"in a deny rule on trial":                {&policyv1.Auth{DryRun: new(true), Deny: rule}, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(t, payments{}, test.auth, panics)
				reason := rpcerr.Reason("")
				if test.want != codes.OK {
					reason = rpcerr.PolicyDenied
				}
				u.everyMode(t.Context(), t, test.want, reason)
			})
		})
	}
}

// What a policy on trial would refuse passes, and is told in the log, on the span and by the counter.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, spans := sdkmetric.NewManualReader(), tracetest.NewSpanRecorder()
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
		trial := &policyv1.Auth{DryRun: new(true), Peers: []string{"spiffe://shop.example/*"}, Deny: []*policyv1.Rule{{Name: new("no-orders"), Peers: []string{"orders"}}}}
		w := newWorld(t)
		w.enroll("orders", "mallory", "payments")
		gate := w.identity("payments").Server(tableOf(t, narrow(trial)), auth.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		span := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			ctx, s := tracer.Start(ctx, "call")
			defer s.End()
			return h(ctx, req)
		}
		s := serve(t, payments{}, append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(span)}, gate.ServerOptions()...)...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		refused(t, "unary, on trial", quote(t.Context(), cc), codes.OK, "")
		_, err := watch(t.Context(), cc)
		refused(t, "stream, on trial", err, codes.OK, "")
		refused(t, "what is in force", quote(t.Context(), dial(t, s.dialer, w.identity("mallory").DialOptions(w.id("payments"))...)), codes.PermissionDenied, rpcerr.PolicyDenied)

		log := w.log.String()
		if !hasLine(log, []string{`"parley: a policy on trial would refuse the call"`, "denied by rule no-orders", "reason=POLICY_DENIED", "decided=\"code gate_test.go:", "peer=spiffe://shop.example/orders"}) {
			t.Errorf("the log does not tell of the trial:\n%s", log)
		}
		if got, want := counts(t, reader), map[bool]int64{true: 2, false: 1}; got[true] != want[true] || got[false] != want[false] {
			t.Errorf("counted %v, want %v", got, want)
		}
		ended := spans.Ended()
		if events := ended[0].Events(); len(events) != 1 || events[0].Name != "parley.auth.would_refuse" {
			t.Errorf("the span has the events %v", events)
		}
		cause := ""
		for _, kv := range ended[1].Attributes() {
			if kv.Key == "parley.auth.cause" {
				cause = kv.Value.AsString()
			}
		}
		if cause != "the caller is not among the peers" {
			t.Errorf("the span says %q", cause)
		}
	})
}

// counts are the refusals by whether they were dry runs.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[bool]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	found := map[bool]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
			dry, _ := point.Attributes.Value("parley.auth.dry_run")
			found[dry.AsBool()] += point.Value
		}
	}
	return found
}

// The warning about a deny rule that a missing claim escapes is logged when the server resolves its methods.
func TestWarningAtStart(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	dev := []*structpb.Value{structpb.NewStringValue("dev")}
	noDev := &policyv1.Rule{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: dev}}}
	table := tableOf(t, narrow(&policyv1.Auth{Deny: []*policyv1.Rule{noDev}}))
	gate := w.identity("payments").Server(table, auth.WithBearer(evilCertificate(t)))
	if err := gate.Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName); err != nil {
		t.Fatal(err)
	}
	if log := w.log.String(); !hasLine(log, []string{"parley: the policy may surprise", "no-dev", "without claim env", "exists: false"}) {
		t.Errorf("no warning in\n%s", log)
	}
}

// Neither the user's token nor its claims are logged, at any level, and the user only under a pseudonym.
func TestNoUserIsLogged70(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, &policyv1.Auth{User: &policyv1.User{Scopes: []string{"sell"}}})
		access, txn := u.accessToken(t, claims{"sub": "alice@shop.example", "email": "secret@shop.example"}), u.transactionToken(t, claims{"sub": "alice@shop.example"})
		u.everyMode(auth.AttachUserToken(t.Context(), access), t, codes.PermissionDenied, rpcerr.PolicyDenied)
		u.everyMode(auth.AttachTransactionToken(t.Context(), txn), t, codes.PermissionDenied, rpcerr.PolicyDenied)
		u.everyMode(auth.AttachUserToken(t.Context(), access+"A"), t, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		log := u.w.log.String()
		if !hasLine(log, []string{"parley: call refused", "user=", "user_issuer=" + mintName, "txn=9705-3963", "the user's token lacks scope sell"}) {
			t.Fatalf("the refusal is not in the log:\n%s", log)
		}
		for _, secret := range append(strings.Split(access, "."), append(strings.Split(txn, "."), "alice@shop.example", "secret@shop.example")...) {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

func evilCertificate(t testing.TB) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := evilServerConfig(t).Certificates[0]
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
}

// A caller learns that another token would do only from a server that is told to say so.
func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, &policyv1.Auth{User: &policyv1.User{Scopes: []string{"sell"}}}, auth.WithStepUp())
		u.everyMode(auth.AttachUserToken(t.Context(), u.accessToken(t, nil)), t, codes.PermissionDenied, rpcerr.InsufficientScope)
	})
}

// A method that no policy decides about is refused, and the explanation says so.
func TestExplainOfAMethodWithoutAPolicy(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	if e := w.identity("payments").Server(nil).Explain(t.Context(), policy.Call{Method: "/not.there/Do"}); e.Allowed || e.Why == "" {
		t.Errorf("got %v", e)
	}
}
