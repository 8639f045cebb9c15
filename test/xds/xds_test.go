package xds

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/discovery/xds/xdstest"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// Where the control plane names no certificates, each side has its own. Either way both sides prove who they are.
func TestACallIsMutuallyAuthenticated(t *testing.T) {
	s := newShop(t)
	r := s.start()
	s.offer(r)
	c := s.caller()
	if err := c.quote(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream, err := c.WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if carrier, ok := r.callers.Load("spiffe://shop.example/orders"); !ok || carrier != "token" {
		t.Errorf("the handler saw %v", carrier)
	}
}

func TestACallOverTLSOfTheControlPlane(t *testing.T) {
	for name, tt := range map[string]struct {
		certificate string
		reason      rpcerr.Reason
	}{
		"of payments":         {"payments", ""},
		"of another service":  {"mallory", rpcerr.ServerProofInvalid},
		"of no known key":     {"", rpcerr.ServerProofInvalid},
		"of another hostname": {"payments.example", rpcerr.ServerProofInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			cert, key := s.certificate(tt.certificate)
			certPEM, keyPEM := read(t, cert), read(t, key)
			s.plane.WriteCertificates(certPEM, keyPEM, certPEM)
			r := s.open("servers: {payments: {carriers: [token]}}\nlifecycle: {announce: 0s}\n") // no certificate of its own
			listener := xdstest.NewListener(t, r.address)
			listener.DefaultFilterChain.TransportSocket = xdstest.ServerTLS(t)
			s.plane.Put(listener)
			s.ready(r)
			service := s.service(r)
			service.Cluster.TransportSocket = xdstest.ClientTLS(t)
			s.plane.Put(service.Resources()...)
			err := s.caller().quote(t.Context())
			switch {
			case tt.reason == "" && err != nil:
				t.Error(err)
			case tt.reason != "" && rpcerr.ReasonOf(err) != tt.reason:
				t.Errorf("the call ended with %v, want %v", err, tt.reason)
			}
			if carrier, ok := r.callers.Load("spiffe://shop.example/orders"); ok != (tt.reason == "") ||
				ok && carrier != "token" {
				t.Errorf("the handler saw %v", carrier)
			}
		})
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Only Parley retries: the retry policy of the control plane is not applied in addition, and each attempt has its span.
func TestRetriesAreNotDoubled(t *testing.T) {
	s := newShop(t)
	r := s.start()
	service := s.service(r)
	service.Routes.VirtualHosts[0].RetryPolicy = &routev3.RetryPolicy{
		RetryOn:    "unavailable",
		NumRetries: wrapperspb.UInt32(3),
	}
	s.plane.Put(service.Resources()...)
	c := s.caller()
	if err := c.quote(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.quotes.Store(0)
	down := status.Error(codes.Unavailable, "the bank is closed")
	r.fail.Store(&down)
	if err := c.quote(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("the call ended with %v", err)
	}
	if made := r.quotes.Load(); made != 4 {
		t.Errorf("%d attempts reached the handler, want the 4 of Parley's policy", made)
	}
	calls := c.ring.Calls()
	if len(calls) == 0 || len(calls[0].Attempts) != 4 {
		t.Errorf("the last call shows %v", calls)
	}
}

// The budget of retries bounds what an outage costs, whatever the control plane asks for.
func TestRetryBudgetHolds(t *testing.T) {
	s := newShop(t)
	r := s.start()
	service := s.service(r)
	service.Routes.VirtualHosts[0].RetryPolicy = &routev3.RetryPolicy{
		RetryOn:    "unavailable",
		NumRetries: wrapperspb.UInt32(3),
	}
	s.plane.Put(service.Resources()...)
	budget := retry.DefaultBudget()
	budget.Max, budget.MinPerSecond = 5, 0
	c := s.caller(framework.WithRetry(retry.WithBudget(budget)))
	down := status.Error(codes.Unavailable, "the bank is closed")
	r.fail.Store(&down)
	const calls = 20
	for range calls {
		if err := c.quote(t.Context()); status.Code(err) != codes.Unavailable {
			t.Fatalf("a call ended with %v", err)
		}
	}
	if made := r.quotes.Load(); made > calls+5 {
		t.Errorf("%d attempts for %d calls, with a budget of 5 retries", made, calls)
	}
}

// Without a control plane calls fail at once and say so, or wait as long as they may; with it everything recovers. GRPC
// fails the calls that wait when the control plane appears; they reached no server, so they are made again, even the
// calls that must not be repeated.
func TestTheControlPlaneIsAbsentAtFirst(t *testing.T) {
	s := newShop(t)
	r := s.start()
	s.offer(r)
	s.plane.Stop()
	c := s.caller()
	if err := c.quote(t.Context()); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "xds") {
		t.Errorf("a call ended with %v", err)
	}
	var waiting sync.WaitGroup
	var charged, quoted atomic.Int64
	wait := func(call func() error, made *atomic.Int64) {
		switch err := call(); status.Code(err) {
		case codes.OK:
			made.Add(1)
		case codes.DeadlineExceeded: // the policy gives it two seconds
		default:
			t.Errorf("a call that waited ended with %v", err)
		}
	}
	for n := 0; charged.Load() == 0 || quoted.Load() == 0; n++ {
		waiting.Go(func() { wait(func() error { return c.quote(t.Context(), grpc.WaitForReady(true)) }, &quoted) })
		waiting.Go(func() { wait(func() error { return c.charge(t.Context(), grpc.WaitForReady(true)) }, &charged) })
		<-time.After(100 * time.Millisecond)
		if n == 5 {
			s.plane.Resume()
		}
		if n == 200 {
			t.Fatal("nothing recovers")
		}
	}
	waiting.Wait()
	if made := r.charges.Load(); made < charged.Load() {
		t.Errorf("%d charges for %d calls", made, charged.Load())
	}
}

// RBAC by principals would match no peer. The service does not become ready, and says why.
func TestRBACByPrincipalIsRefused(t *testing.T) {
	s := newShop(t)
	r := s.start()
	s.offer(r)
	c := s.caller()
	if err := c.quote(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.plane.Put(xdstest.NewListener(t, r.address, xdstest.Filter(t, "rbac", &rbacfilterv3.RBAC{Rules: &rbacv3.RBAC{
		Action: rbacv3.RBAC_DENY,
		Policies: map[string]*rbacv3.Policy{"no-orders": {
			Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}},
			Principals: []*rbacv3.Principal{
				{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{}}},
			},
		}},
	}})))
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(
		r.log.String(), `msg="not ready" why="control plane: xds: `,
	); {
		if err := c.charge(t.Context()); err != nil &&
			!strings.Contains(err.Error(), "the server does not serve; see its log") {
			t.Errorf("a call ended with %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service goes on serving:\n%s", r.log)
		}
	}
	if err := c.charge(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("a call of a service that is refused ended with %v", err)
	}
	for _, want := range []string{`\"no-orders\" has principals`, "in TLS client certificates"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, r.log)
		}
	}
}
