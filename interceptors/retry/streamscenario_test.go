package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// act is how the handler of one stream behaves.
type act func(ctx context.Context, stream grpc.ServerStream) error

// acts gives each stream the next act, and all further ones the last.
func acts(l *lab, list ...act) {
	l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
		return list[min(int(l.calls.Load()), len(list))-1](ctx, stream)
	}
}

var errScripted = status.Error(codes.Unavailable, "scripted")

// sends is an act that sends the messages from first to last and then ends the stream with err.
func sends(first, last int, err error) act {
	return func(_ context.Context, stream grpc.ServerStream) error {
		for i := first; i <= last; i++ {
			if err := stream.SendMsg(wrapperspb.String(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return err
	}
}

func fails(code codes.Code) act {
	return func(context.Context, grpc.ServerStream) error { return status.Error(code, "scripted") }
}

func hangs(ctx context.Context, _ grpc.ServerStream) error { return sleep(ctx, time.Hour) }

// takes receives n messages into got, or all of them if n is negative, and then ends the stream with err.
func takes(n int, got *[]string, err error) act {
	return func(_ context.Context, stream grpc.ServerStream) error {
		for i := 0; i != n; i++ {
			m := new(wrapperspb.StringValue)
			if err := stream.RecvMsg(m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
			*got = append(*got, m.GetValue())
		}
		return err
	}
}

// answers is an act followed by one response.
func answers(before act) act {
	return func(ctx context.Context, stream grpc.ServerStream) error {
		if err := before(ctx, stream); err != nil {
			return err
		}
		return stream.SendMsg(wrapperspb.String("taken"))
	}
}

// opened opens a stream of the lab.
func opened(ctx context.Context, t *testing.T, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	desc := &grpc.StreamDesc{ClientStreams: method != watchMethod, ServerStreams: method != uploadMethod}
	stream, err := cc.NewStream(ctx, desc, method, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// watched opens a server stream and asks it for its messages.
func watched(ctx context.Context, t *testing.T, cc *grpc.ClientConn, opts ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	stream := opened(ctx, t, cc, watchMethod, opts...)
	if err := errors.Join(stream.SendMsg(wrapperspb.String("all")), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	return stream
}

// drained receives until the stream ends.
func drained(stream grpc.ClientStream) (got []string, err error) {
	for {
		m := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(m); err != nil {
			return got, err
		}
		got = append(got, m.GetValue())
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestScenario13MessagesAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 2, errScripted), sends(0, 4, nil))
		r := newRetrier(t, watchMethod, terms{attempts: 3})
		start := time.Now()
		got, err := drained(watched(t.Context(), t, l.dial(t, r)))
		same(t, "received", got, []string{"0", "1", "2"})
		stopped(t, err, codes.Unavailable, retry.StopCommitted, 1)
		if want := "rpc error: code = Unavailable desc = scripted"; err.Error() != want || status.Convert(err).Message() != "scripted" {
			t.Errorf("the error is %q, want it as it was: %q", err, want)
		}
		took(t, start, 0)
		l.saw(t, 1)
		if r.BudgetBalance() != 10 {
			t.Errorf("the balance is %v, want 10", r.BudgetBalance())
		}
	})
}

func TestScenario14SetHeaderDoesNotCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, func(_ context.Context, stream grpc.ServerStream) error {
			if err := stream.SetHeader(metadata.Pairs("h", "1")); err != nil {
				return err
			}
			return errScripted
		}, func(ctx context.Context, stream grpc.ServerStream) error {
			if err := stream.SetHeader(metadata.Pairs("h", "2")); err != nil {
				return err
			}
			return sends(0, 4, nil)(ctx, stream)
		})
		start := time.Now()
		stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{})))
		got, err := drained(stream)
		same(t, "received", got, []string{"0", "1", "2", "3", "4"})
		if !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
		header, err := stream.Header()
		same(t, "header", header.Get("h"), []string{"2"})
		if err != nil {
			t.Error(err)
		}
		took(t, start, 25*ms)
		l.saw(t, 2)
	})
}

func TestScenario15TimeToFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, hangs)
		ctx, cancel := context.WithTimeout(t.Context(), 400*ms)
		defer cancel()
		start := time.Now()
		got, err := drained(watched(ctx, t, l.dial(t, newRetrier(t, watchMethod, terms{perAttempt: 50 * ms, attempts: 3}))))
		if len(got) != 0 {
			t.Errorf("received %q", got)
		}
		stopped(t, err, codes.DeadlineExceeded, retry.StopDeadline, 3)
		took(t, start, 400*ms)
		l.saw(t, 3)
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, hangs, func(ctx context.Context, stream grpc.ServerStream) error {
			for i := range 3 { // the timeout is lifted once the first message has come
				if err := errors.Join(sleep(ctx, 40*ms+time.Duration(i)*time.Second), stream.SendMsg(wrapperspb.String(fmt.Sprint(i)))); err != nil {
					return err
				}
			}
			return nil
		})
		start := time.Now()
		got, err := drained(watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{perAttempt: 50 * ms, attempts: 3}))))
		same(t, "received", got, []string{"0", "1", "2"})
		if !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
		took(t, start, 50*ms+25*ms+120*ms+3*time.Second)
		l.saw(t, 2)
	})
}

func TestScenario16ClientStreamIsReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var first, second []string
		acts(l, takes(5, &first, errScripted), answers(takes(-1, &second, nil)))
		r := newRetrier(t, uploadMethod, terms{attempts: 2})
		stream := opened(t.Context(), t, l.dial(t, r), uploadMethod)
		start := time.Now()
		var want []string
		reused := new(wrapperspb.StringValue)
		for i := range 10 {
			reused.Value = strings.Repeat(fmt.Sprint(i), 10<<10)
			want = append(want, reused.GetValue())
			if err := stream.SendMsg(reused); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			synctest.Wait()
		}
		reused.Value = "overwritten"
		reply := new(wrapperspb.StringValue)
		if err := errors.Join(stream.CloseSend(), stream.RecvMsg(reply)); err != nil || reply.GetValue() != "taken" {
			t.Fatal(reply, err)
		}
		same(t, "the first stream took", first, want[:5])
		same(t, "the second stream took", second, want)
		took(t, start, 25*ms)
		l.saw(t, 2)
	})
}

func TestScenario17OverflowCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 8 << 10
		l := newLab(t, nil)
		var got []string
		acts(l, takes(512<<10/size, &got, errScripted))
		memory := retry.NewReplayMemory(1 << 20)
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{attempts: 3}, retry.WithReplayMemory(memory))), uploadMethod)
		most, sent := int64(0), 0
		var err error
		for range 1 << 20 / size {
			if err = stream.SendMsg(wrapperspb.String(strings.Repeat("x", size))); err != nil {
				break
			}
			sent++
			synctest.Wait()
			most = max(most, memory.InUse())
		}
		if !errors.Is(err, io.EOF) || sent < 512<<10/size {
			t.Errorf("sending ended with %v after %d messages, want io.EOF after %d", err, sent, 512<<10/size)
		}
		stopped(t, stream.RecvMsg(new(wrapperspb.StringValue)), codes.Unavailable, retry.StopBufferOverflow, 1)
		if most == 0 || most > 256<<10 || memory.InUse() != 0 {
			t.Errorf("%d bytes were kept at most and %d are still, want at most 256 KiB and none", most, memory.InUse())
		}
		l.saw(t, 1)
	})
}

func TestScenario18AnyResponseCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, func(ctx context.Context, stream grpc.ServerStream) error {
			return errors.Join(stream.SendMsg(wrapperspb.String("hello")), sleep(ctx, ms), errScripted)
		})
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{attempts: 3})), chatMethod)
		if err := stream.SendMsg(wrapperspb.String("hello")); err != nil {
			t.Fatal(err)
		}
		got, err := drained(stream)
		same(t, "received", got, []string{"hello"})
		stopped(t, err, codes.Unavailable, retry.StopCommitted, 1)
		l.saw(t, 1)
	})
}

func TestScenario39StreamShowsTheFinalAttempt(t *testing.T) {
	for _, ok := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
				number := fmt.Sprint(l.calls.Load())
				stream.SetTrailer(metadata.Pairs("t", number))
				if err := stream.SetHeader(metadata.Pairs("h", number)); err != nil {
					return err
				}
				if number == "3" && ok {
					return sends(0, 0, nil)(ctx, stream)
				}
				return errScripted
			}
			var header, trailer metadata.MD
			var from peer.Peer
			var finished []error
			stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{})), grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from),
				grpc.OnFinish(func(err error) { finished = append(finished, err) }))
			_, err := drained(stream)
			for _, md := range []metadata.MD{trailer, stream.Trailer()} {
				same(t, "trailer", md.Get("t"), []string{"3"})
			}
			if ok {
				same(t, "header", header.Get("h"), []string{"3"})
			}
			if from.Addr == nil || from.Addr.String() != "replica:1" {
				t.Errorf("the peer is %v, want replica:1", from.Addr)
			}
			if !ok {
				stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
			}
			if len(finished) != 1 || ok != (finished[0] == nil) || !ok && !errors.Is(finished[0], err) {
				t.Errorf("OnFinish was called with %v, want once, with %v", finished, err)
			}
			l.saw(t, 3)
		})
	}
}
