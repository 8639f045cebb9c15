package auth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

type watching = grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]

// A panic of a streaming handler arrives at the interceptors in front of auth, with the stack of the handler.
func TestPanicOfAStreamingHandler(t *testing.T) {
	cause := errors.New("the till is open")
	for name, test := range map[string]struct {
		handler func(watching) error
		want    string
		wraps   error
	}{
		"panic":          {func(watching) error { panic("no money") }, "no money", nil},
		"panic by error": {func(watching) error { panic(cause) }, "the till is open", cause},
		"nil panic":      {func(watching) error { panic(nil) }, "nil", nil},
		"Goexit":         {func(watching) error { runtime.Goexit(); return nil }, "Goexit", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				recovered := make(chan any, 1)
				recovery := func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
					defer func() {
						r := recover()
						recovered <- r
						err = status.Error(codes.Internal, "recovered")
					}()
					return h(srv, s)
				}
				gate := w.identity("payments").Server(nil)
				s := serve(t, payments{watch: test.handler}, append([]grpc.ServerOption{grpc.ChainStreamInterceptor(recovery)}, gate.ServerOptions()...)...)
				_, err := watch(t.Context(), dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...))
				if status.Code(err) != codes.Internal {
					t.Errorf("the caller sees %v", err)
				}
				r := <-recovered
				if text := fmt.Sprint(r); !strings.Contains(text, test.want) || name != "Goexit" && !strings.Contains(text, "TestPanicOfAStreamingHandler") {
					t.Errorf("recovered %q", text)
				}
				if err, ok := r.(error); test.wraps != nil && (!ok || !errors.Is(err, test.wraps)) {
					t.Errorf("recovered %T does not wrap the handler's error", r)
				}
			})
		})
	}
}

// A panic after the stream was ended has nobody above it. It is logged and ends nothing else.
func TestLatePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: func(s watching) error {
			_ = block(s)
			time.Sleep(time.Second)
			panic("too late")
		}}, auth.WithMaxConnectionAge(time.Minute))
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		time.Sleep(2 * time.Second)
		if log := p.w.log.String(); !strings.Contains(log, "a handler panicked after the end of its stream") || !strings.Contains(log, "too late") {
			t.Error("the panic is not in the log")
		}
	})
}

// The end of a handler is the end of the stream: errors and headers pass unchanged.
func TestHandlersErrorPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: func(watching) error { return status.Error(codes.DataLoss, "gone") }})
		_, err := watch(t.Context(), p.cc)
		if st := status.Convert(err); st.Code() != codes.DataLoss || st.Message() != "gone" {
			t.Error(err)
		}
	})
}

// Policies that are replaced end the streams that they would not let begin, with what a new stream gets, and no others.
// A unary call keeps its decision.
func TestATightenedPolicyEndsStreams(t *testing.T) {
	const denied, missing = codes.PermissionDenied, rpcerr.CredentialsMissing
	access := func(a policyv1.Access) *policyv1.Auth { return &policyv1.Auth{Access: a.Enum()} }
	onConnections := &policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum()}
	for name, test := range map[string]struct {
		caller string
		policy *policyv1.Auth
		code   codes.Code
		reason rpcerr.Reason
	}{
		"denied to all":         {"connection", access(policyv1.Access_ACCESS_DENIED), denied, rpcerr.PolicyDenied},
		"other peers":           {"connection", &policyv1.Auth{Peers: []string{"billing"}}, denied, rpcerr.PolicyDenied},
		"another carrier":       {"token", onConnections, denied, rpcerr.PolicyDenied},
		"a scope":               {"token", &policyv1.Auth{Scopes: []string{"watch"}}, denied, rpcerr.PolicyDenied},
		"no strangers":          {"nobody", access(policyv1.Access_ACCESS_AUTHENTICATED), codes.Unauthenticated, missing},
		"still allowed":         {"connection", &policyv1.Auth{Peers: []string{"orders", "billing"}}, codes.OK, ""},
		"still allowed, token":  {"token", &policyv1.Auth{Peers: []string{"orders"}}, codes.OK, ""},
		"still allowed, nobody": {"nobody", nil, codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				anonymous := policy.Code(auth.HealthPolicy())
				table := tableOf(t, anonymous)
				roots, certificate := w.certificate()
				causes, asked := make(chan error, 1), make(chan struct{})
				s := serve(t, payments{
					quote: func(ctx context.Context) error {
						<-asked
						return context.Cause(ctx)
					},
					watch: func(s watching) error {
						err := block(s)
						causes <- err
						return err
					},
				}, w.identity("payments").ServerOptions(table, auth.WithBearer(certificate))...)
				var cc *grpc.ClientConn
				orders := w.identity("orders")
				switch test.caller {
				case "connection":
					cc = dial(t, s.dialer, orders.DialOptions(w.id("payments"))...)
				case "token":
					c := orders.Channel([]principal.Pattern{w.id("payments")},
						auth.WithMode(auth.ModeToken), auth.WithRoots(roots), auth.WithServerName("localhost"))
					cc = dial(t, s.dialer, c.DialOptions()...)
				default:
					cc = newStranger(t, &tokenWorld{w, s, roots}).ClientConn
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				layers := []policy.Layer{anonymous}
				var receive func() error
				quoted := make(chan error, 1)
				if test.caller == "nobody" {
					watched, err := grpc_health_v1.NewHealthClient(cc).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
					if err != nil {
						t.Fatal(err)
					}
					receive = func() error {
						_, err := watched.Recv()
						return err
					}
					quoted <- nil
					if test.policy != nil {
						health := map[string]*policyv1.Policy{"/grpc.health.v1.Health/*": {Auth: test.policy}}
						layers = append(layers, policy.Code(health))
					}
				} else {
					stream, err := paymentsv1.NewPaymentsServiceClient(cc).WatchCharge(ctx, &paymentsv1.WatchChargeRequest{})
					if err != nil {
						t.Fatal(err)
					}
					receive = func() error {
						_, err := stream.Recv()
						return err
					}
					go func() { quoted <- quote(ctx, cc) }()
					layers = append(layers, narrow(test.policy))
				}
				if err := receive(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := table.Replace(layers...); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				close(asked)
				if err := <-quoted; err != nil {
					t.Errorf("the unary call: %v", err)
				}
				if test.code == codes.OK {
					select {
					case err := <-causes:
						t.Errorf("the stream ended: %v", err)
					default:
					}
					cancel()
				}
				err := receive()
				if test.code == codes.OK {
					test.code = codes.Canceled
				}
				refused(t, "stream", err, test.code, test.reason)
				if test.caller != "nobody" && test.code != codes.Canceled {
					if cause := <-causes; !errors.Is(cause, test.reason) {
						t.Errorf("the handler's context ended with %v", cause)
					}
				}
			})
		})
	}
}
