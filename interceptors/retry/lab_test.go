package retry_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// handler answers attempt n, counted from 1 over all methods and replicas of a lab.
type handler func(ctx context.Context, n int) error

// lab is a service in memory: one or more replicas with one script.
type lab struct {
	calls   atomic.Int64
	handle  handler
	watch   func(ctx context.Context, stream grpc.ServerStream) error
	down    atomic.Bool                  // connections are refused
	servers map[string]*bufconn.Listener // by address
}

// newLab starts a lab with a replica at each address. It ends with the test, so a bubble must run it in t.Run or end
// it.
func newLab(t *testing.T, handle handler, addresses ...string) *lab {
	t.Helper()
	l := &lab{handle: handle, servers: map[string]*bufconn.Listener{}}
	if len(addresses) == 0 {
		addresses = []string{"replica:1"}
	}
	for _, address := range addresses {
		l.start(t, address)
	}
	return l
}

func (l *lab) start(t *testing.T, address string) {
	t.Helper()
	server := grpc.NewServer()
	unary := func(name string) grpc.MethodDesc {
		return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(new(wrapperspb.StringValue)); err != nil {
				return nil, err
			}
			if err := l.handle(ctx, int(l.calls.Add(1))); err != nil {
				return nil, err
			}
			return wrapperspb.String(address), nil
		}}
	}
	streamed := func(name string) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			l.calls.Add(1)
			return l.watch(stream.Context(), stream)
		}}
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "lab.v1.Lab",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{unary("Read"), unary("Write"), unary("Act")},
		Streams:     []grpc.StreamDesc{streamed("Watch"), streamed("Upload"), streamed("Chat"), streamed("Talk")},
	}, l)
	listener := bufconn.Listen(1 << 16)
	l.servers[address] = listener
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
}

// replicaConn tells the address that was dialled, where bufconn has one address for all.
type replicaConn struct {
	net.Conn
	address string
}

func (c replicaConn) RemoteAddr() net.Addr { return address(c.address) }

type address string

func (address) Network() string  { return "lab" }
func (a address) String() string { return string(a) }

var errRefused = errors.New("connection refused")

// dial opens a channel to a lab with r in it.
func (l *lab) dial(t *testing.T, r *retry.Retrier, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	return l.dialPlain(t, append(r.DialOptions(), opts...)...)
}

func (l *lab) dialPlain(t *testing.T, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	base := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
			listener, ok := l.servers[at]
			if !ok || l.down.Load() {
				return nil, errRefused
			}
			conn, err := listener.DialContext(ctx)
			return replicaConn{conn, at}, err
		}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}}),
	}
	cc, err := grpc.NewClient("passthrough:///replica:1", append(base, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func call(ctx context.Context, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (string, error) {
	reply := new(wrapperspb.StringValue)
	err := cc.Invoke(ctx, method, new(wrapperspb.StringValue), reply, opts...)
	return reply.GetValue(), err
}

// terms are a policy in short.
type terms struct {
	deadline, initial, limit, perAttempt time.Duration
	attempts                             int
	codes                                []string
	hedges                               int
	hedgeDelay                           time.Duration
}

func (s terms) policy() *policyv1.Policy {
	duration := func(d time.Duration) *durationpb.Duration {
		if d == 0 {
			return nil
		}
		return durationpb.New(d)
	}
	p := &policyv1.Policy{Retry: &policyv1.Retry{
		InitialBackoff: duration(s.initial), MaxBackoff: duration(s.limit), PerAttemptTimeout: duration(s.perAttempt), Codes: s.codes,
	}}
	if s.hedges > 0 {
		p.Hedge = &policyv1.Hedge{MaxHedges: new(uint32(s.hedges)), Delay: duration(s.hedgeDelay)}
	}
	if s.attempts > 0 {
		p.Retry.MaxAttempts = new(uint32(s.attempts))
	}
	if s.deadline > 0 {
		p.Deadline = &policyv1.Deadline{Max: duration(s.deadline)}
	}
	return p
}

// tableOf is a table with one policy for a method.
func tableOf(t testing.TB, method string, s terms) *policy.Table {
	t.Helper()
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{method: s.policy()}))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// newRetrier makes a Retrier for one method. Its waits are half of their bounds.
func newRetrier(t testing.TB, method string, s terms, opts ...retry.Option) *retry.Retrier {
	t.Helper()
	r := retry.New(append([]retry.Option{
		retry.WithPolicy(tableOf(t, method, s)),
		retry.WithRandom(func() float64 { return 0.5 }),
	}, opts...)...)
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// always fails each attempt with code.
func always(code codes.Code) handler {
	return func(context.Context, int) error { return status.Error(code, "scripted") }
}

// failing fails the first n attempts with code.
func failing(n int, code codes.Code) handler {
	return func(_ context.Context, attempt int) error {
		if attempt <= n {
			return status.Error(code, "scripted")
		}
		return nil
	}
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// failure is how a call failed.
func failure(t *testing.T, err error) *retry.Error {
	t.Helper()
	failed, ok := errors.AsType[*retry.Error](err)
	if !ok {
		t.Fatalf("the call returned %v, want a *retry.Error", err)
	}
	return failed
}

// stopped checks how a call failed: its code, the reason, and how many attempts it had.
func stopped(t *testing.T, err error, code codes.Code, reason retry.StopReason, attempts int) {
	t.Helper()
	if failed := failure(t, err); status.Code(err) != code || failed.Reason != reason || failed.Attempts != attempts {
		t.Fatalf("got %v, want %v after %d attempts with the reason %s", err, code, attempts, reason)
	}
}

// reasonOf checks that a call failed with UNAVAILABLE, and returns why it stopped.
func reasonOf(t *testing.T, err error) retry.StopReason {
	t.Helper()
	failed := failure(t, err)
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("the call returned %v, want UNAVAILABLE", err)
	}
	return failed.Reason
}

// took checks how much virtual time has passed since a moment.
func took(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Errorf("the call took %v, want %v", got, want)
	}
}

// saw checks how many attempts reached a handler.
func (l *lab) saw(t *testing.T, want int) {
	t.Helper()
	if got := int(l.calls.Load()); got != want {
		t.Errorf("the server saw %d attempts, want %d", got, want)
	}
}
