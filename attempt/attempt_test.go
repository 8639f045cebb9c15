package attempt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/attempt"
)

// wire stands for gRPC: it fills the Peer options of one RPC, unless that reached no server.
func wire(endpoint string) grpc.UnaryInvoker {
	return func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		reach(endpoint, opts)
		if endpoint == "" {
			return errors.New("unavailable")
		}
		return nil
	}
}

func reach(endpoint string, opts []grpc.CallOption) {
	if endpoint == "" {
		return
	}
	for _, o := range opts {
		if o, ok := o.(grpc.PeerCallOption); ok {
			*o.PeerAddr = peer.Peer{Addr: addr(endpoint)}
		}
	}
}

type addr string

func (addr) Network() string  { return "test" }
func (a addr) String() string { return string(a) }

var _ net.Addr = addr("")

// again is an invoker that runs what is inside of it twice.
func again(inner grpc.UnaryInvoker) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return errors.Join(inner(ctx, method, req, reply, cc, opts...), inner(ctx, method, req, reply, cc, opts...))
	}
}

// recorded is an invoker with an innermost interceptor of Parley in front.
func recorded(inner grpc.UnaryInvoker) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		return attempt.UnaryClientInterceptor(ctx, method, req, reply, cc, inner, opts...)
	}
}

func TestNeverSent(t *testing.T) {
	nowhere, somewhere := wire(""), wire("10.0.0.7:8443")
	none := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	for _, tt := range []struct {
		name     string
		chain    grpc.UnaryInvoker
		want     bool
		endpoint string
	}{
		{"nothing recorded the attempt", nowhere, false, ""},
		{"an interceptor ended the attempt before the wire", none, false, ""},
		{"it reached no server", recorded(nowhere), true, ""},
		{"it reached a server", recorded(somewhere), false, "10.0.0.7:8443"},
		{"recorded twice, one inside the other, and reached no server", recorded(recorded(nowhere)), true, ""},
		{"recorded twice, one inside the other, and reached a server", recorded(recorded(somewhere)), false, "10.0.0.7:8443"},
		{"something ran the recorded attempt twice", again(recorded(nowhere)), false, ""},
		{"something between two records ran the inner one twice", recorded(again(recorded(nowhere))), false, ""},
		{"the first of two runs reached a server", again(recorded(sequence(somewhere, nowhere))), false, "10.0.0.7:8443"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, a := attempt.NewContext(t.Context(), 1, false, nil)
			if a.NeverSent() {
				t.Error("an attempt that has not run is taken for never sent")
			}
			_ = tt.chain(ctx, "/a.B/C", nil, nil, nil)
			if got := a.NeverSent(); got != tt.want {
				t.Errorf("NeverSent = %v, want %v", got, tt.want)
			}
			if got := a.Endpoint(); got != tt.endpoint {
				t.Errorf("Endpoint = %q, want %q", got, tt.endpoint)
			}
		})
	}
}

// sequence is an invoker that does something else each time.
func sequence(invokers ...grpc.UnaryInvoker) grpc.UnaryInvoker {
	n := 0
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		n++
		return invokers[n-1](ctx, method, req, reply, cc, opts...)
	}
}

func TestStreamIsRecorded(t *testing.T) {
	for endpoint, neverSent := range map[string]bool{"": true, "10.0.0.7:8443": false} {
		ctx, a := attempt.NewContext(t.Context(), 1, false, nil)
		_, err := attempt.StreamClientInterceptor(ctx, &grpc.StreamDesc{}, nil, "/a.B/C",
			func(
				_ context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, opts ...grpc.CallOption,
			) (grpc.ClientStream, error) {
				reach(endpoint, opts)
				return nil, nil
			})
		if err != nil || a.NeverSent() != neverSent || a.Endpoint() != endpoint {
			t.Errorf("a stream that reached %q: NeverSent %v, Endpoint %q, error %v", endpoint, a.NeverSent(), a.Endpoint(), err)
		}
	}
}

// The caller's options are used again for the next attempt, and must stay as they are.
func TestOptionsOfTheCallerAreNotTouched(t *testing.T) {
	var from peer.Peer
	room := make([]grpc.CallOption, 1, 4)
	room[0] = grpc.Peer(&from)
	ctx, _ := attempt.NewContext(t.Context(), 1, false, nil)
	if err := recorded(wire("10.0.0.7:8443"))(ctx, "/a.B/C", nil, nil, nil, room...); err != nil {
		t.Fatal(err)
	}
	if room[:2][1] != nil {
		t.Error("the option was written into the caller's slice")
	}
	if from.Addr == nil {
		t.Error("the caller's own Peer option was not filled")
	}
}

// However many options a call has, each run gets them in order with one more at the end, and no other run writes there.
func TestEachRunHasItsOwnOptions(t *testing.T) {
	for count := range 6 {
		given := make([]grpc.CallOption, count)
		for i := range given {
			given[i] = grpc.MaxCallRecvMsgSize(i)
		}
		ctx, _ := attempt.NewContext(t.Context(), 1, false, nil)
		var runs [][]grpc.CallOption
		keep := func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
			runs = append(runs, opts)
			_ = append(opts, grpc.StaticMethod())
			return nil
		}
		for range 2 {
			if err := recorded(keep)(ctx, "/a.B/C", nil, nil, nil, given...); err != nil {
				t.Fatal(err)
			}
		}
		for run, opts := range runs {
			if len(opts) != count+1 || !slices.Equal(opts[:count], given) {
				t.Errorf("%d options: run %d had %v", count, run+1, opts)
			}
			if _, ok := opts[count].(grpc.PeerCallOption); !ok {
				t.Errorf("%d options: run %d ends with %T", count, run+1, opts[count])
			}
		}
	}
}

func TestWithoutAnAttempt(t *testing.T) {
	var a *attempt.Attempt
	if a.Number() != 1 || a.Hedge() || a.Tried() != nil || a.Endpoint() != "" || a.NeverSent() {
		t.Errorf("a nil Attempt is not the first of a call that is not retried: %+v", a)
	}
	if attempt.FromContext(t.Context()) != nil {
		t.Error("an empty context carries an attempt")
	}
	options := -1
	err := attempt.UnaryClientInterceptor(t.Context(), "/a.B/C", nil, nil, nil,
		func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
			options = len(opts)
			return nil
		})
	if err != nil || options != 0 {
		t.Errorf("without an attempt the call had %d options and the error %v, want it untouched", options, err)
	}
}

func TestContextCarriesTheInnermostAttempt(t *testing.T) {
	type key struct{}
	tried := []string{"10.0.0.7:8443"}
	ctx := context.WithValue(t.Context(), key{}, "kept")
	ctx, first := attempt.NewContext(ctx, 1, false, nil)
	ctx, second := attempt.NewContext(ctx, 2, true, tried)
	if got := attempt.FromContext(ctx); got != second || got == first {
		t.Error("the context does not carry the attempt that was put there last")
	}
	if second.Number() != 2 || !second.Hedge() || !slices.Equal(second.Tried(), tried) {
		t.Errorf("the attempt is %d, hedge %v, tried %q", second.Number(), second.Hedge(), second.Tried())
	}
	if ctx.Value(key{}) != "kept" {
		t.Error("values of the context below are hidden")
	}
	if same, a := attempt.Ensure(ctx); a != second || same != ctx {
		t.Error("Ensure does not keep the attempt that is there")
	}
	if _, a := attempt.Ensure(t.Context()); a.Number() != 1 || a.Hedge() {
		t.Error("Ensure does not make a first attempt where there is none")
	}
}

func BenchmarkNewContext(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = attempt.NewContext(b.Context(), 1, false, nil)
	}
}

// An interceptor that runs once for each attempt reads what it needs from the context.
func ExampleFromContext() {
	ctx, _ := attempt.NewContext(context.Background(), 2, false, []string{"10.0.0.7:8443"})
	a := attempt.FromContext(ctx)
	fmt.Println(a.Number(), a.Tried())
	// Output: 2 [10.0.0.7:8443]
}
