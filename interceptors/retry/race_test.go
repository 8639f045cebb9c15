package retry_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// slowCodec takes its time to decode, so that a loser is still at it when the call has returned.
type slowCodec struct {
	encoding.CodecV2
	decoding *atomic.Int64
}

func (s slowCodec) Name() string { return "proto" }

func (s slowCodec) Unmarshal(data mem.BufferSlice, v any) error {
	s.decoding.Add(1)
	err := s.CodecV2.Unmarshal(data, v)
	time.Sleep(60 * ms)
	v.(*wrapperspb.StringValue).Value += ""
	return err
}

// Scenario 29 continued: whatever the losers still do, the reply, the header, the trailer and the request are the
// caller's alone once the call has returned. The race detector watches.
func TestScenario29ReplyIsNeverTouchedAfterwards(t *testing.T) {
	const decode = 60 * ms
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			if err := grpc.SendHeader(ctx, metadata.Pairs("n", strconv.Itoa(n))); err != nil {
				return err
			}
			return grpc.SetTrailer(ctx, metadata.Pairs("n", strconv.Itoa(n)))
		})
		r := newRetrier(t, readMethod, terms{hedges: 2, hedgeDelay: 20 * ms, attempts: 3}, retry.WithBudget(retry.Budget{Max: 100}))
		cc := l.dialPlain(t, append(r.DialOptions(), grpc.WithChainUnaryInterceptor(
			// An attempt "decodes" for a while after gRPC has written its reply, and writes it once more.
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				err := invoker(ctx, method, req, reply, cc, opts...)
				time.Sleep(decode)
				out := reply.(*wrapperspb.StringValue)
				out.Value = "attempt " + header(opts) + req.(*wrapperspb.StringValue).GetValue()
				return err
			}))...)
		for range 20 {
			l.calls.Store(0)
			var head, trailer metadata.MD
			var from peer.Peer
			req, reply := wrapperspb.String("?"), wrapperspb.String("what was there before")
			start := time.Now()
			if err := cc.Invoke(t.Context(), readMethod, req, reply, grpc.Header(&head), grpc.Trailer(&trailer), grpc.Peer(&from)); err != nil {
				t.Fatal(err)
			}
			took(t, start, decode)
			req.Value = "the caller's again"
			reply.Value += "!"
			head.Set("n", head.Get("n")[0]+"!")
			trailer.Set("n", trailer.Get("n")[0]+"!")
			time.Sleep(100 * ms)
			if reply.GetValue() != "attempt 1?!" || head.Get("n")[0] != "1!" || trailer.Get("n")[0] != "1!" || from.Addr == nil {
				t.Fatalf("later the reply is %q, the header %v, the trailer %v, the peer %v", reply.GetValue(), head, trailer, from)
			}
			l.saw(t, 3)
		}
	})
}

// header reads what gRPC wrote to the header option of an attempt.
func header(opts []grpc.CallOption) string {
	for _, o := range opts {
		if o, ok := o.(grpc.HeaderCallOption); ok {
			return (*o.HeaderAddr).Get("n")[0]
		}
	}
	return ""
}

// The same with gRPC's own decoding: while the winner is decoded, so is a loser.
func TestScenario29SlowUnmarshal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var decoding atomic.Int64
		l := newLab(t, steps(uncut, step{after: 300 * ms}, step{after: 10 * ms}))
		cc := l.dial(t, newRetrier(t, readMethod, terms{hedges: 2, hedgeDelay: 20 * ms}), grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(slowCodec{encoding.GetCodecV2("proto"), &decoding})))
		start := time.Now()
		reply := new(wrapperspb.StringValue)
		if err := cc.Invoke(t.Context(), readMethod, new(wrapperspb.StringValue), reply); err != nil {
			t.Fatal(err)
		}
		took(t, start, 20*ms+10*ms+60*ms)
		reply.Value = "mine"
		time.Sleep(time.Second)
		if reply.GetValue() != "mine" || decoding.Load() < 2 {
			t.Errorf("the reply is %q after %d decodings, want it untouched and at least 2", reply.GetValue(), decoding.Load())
		}
	})
}

// A request that is no message cannot be copied. The call then waits for its losers, which have been cancelled.
func TestRequestThatCannotBeCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 20 * ms})
		var out atomic.Int64
		invoke := func(ctx context.Context, _ string, req, reply any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			defer out.Add(-1)
			if out.Add(1) == 2 {
				*reply.(*string) = *req.(*string) + "!"
				return nil
			}
			<-ctx.Done()
			time.Sleep(30 * ms)
			_ = *req.(*string)
			return ctx.Err()
		}
		req, reply := "hello", ""
		start := time.Now()
		if err := r.UnaryClientInterceptor(t.Context(), readMethod, &req, &reply, nil, invoke); err != nil {
			t.Fatal(err)
		}
		took(t, start, 50*ms)
		req = "another"
		if reply != "hello!" || out.Load() != 0 {
			t.Errorf("the reply is %q and %d attempts are out, want hello! and none", reply, out.Load())
		}
	})
}

// Hedges tell the server that others came before, and the picker what they are.
func TestHedgeAnnouncesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		previous := make(chan []string, 2)
		l := newLab(t, func(ctx context.Context, _ int) error {
			previous <- metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")
			return sleep(ctx, 50*ms)
		})
		r := newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 20 * ms})
		got := traced(t.Context(), func(ctx context.Context) { _, _ = call(ctx, l.dial(t, r), readMethod) })
		if first, second := <-previous, <-previous; len(first) != 0 || len(second) != 1 || second[0] != "1" {
			t.Errorf("the attempts announced %v and %v, want nothing and 1", first, second)
		}
		want := "retry.hedged next_attempt=2 after_s=0.02\n" +
			"parley.deadline=10 parley.attempts=2 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0\n"
		if got != want {
			t.Errorf("the span shows\n%swant\n%s", got, want)
		}
	})
}
