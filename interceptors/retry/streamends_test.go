package retry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// A replica that drains lets its streams go on; one that it turns away, or cuts, is repeated on another replica, whole.
func TestStreamOfADrainingReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil, "replica:1", "replica:2")
		var mu sync.Mutex
		var second []string
		cut := make(chan struct{})
		l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
			if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) == 0 {
				<-cut
				return status.Error(codes.Unavailable, "draining")
			}
			mu.Lock()
			defer mu.Unlock()
			return answers(takes(-1, &second, nil))(ctx, stream)
		}
		cc := l.dial(t, newRetrier(t, uploadMethod, terms{}), balanced(l), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
		ready(t, cc)
		stream := opened(t.Context(), t, cc, uploadMethod)
		if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		close(cut)
		synctest.Wait()
		if err := errors.Join(stream.SendMsg(wrapperspb.String("2")), stream.CloseSend(), stream.RecvMsg(new(wrapperspb.StringValue))); err != nil {
			t.Fatal(err)
		}
		same(t, "the other replica took", second, []string{"1", "2"})
		l.saw(t, 2)
	})
}

// A connection that dies takes its streams along. What was not committed goes on, on another connection.
func TestStreamOfADyingConnection(t *testing.T) {
	for _, committed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var first, second []string
			acts(l, func(ctx context.Context, stream grpc.ServerStream) error {
				if committed {
					if err := stream.SendMsg(wrapperspb.String("0")); err != nil {
						return err
					}
				}
				return takes(-1, &first, nil)(ctx, stream)
			}, answers(takes(-1, &second, nil)))
			var conns []net.Conn
			cc := l.dial(t, newRetrier(t, chatMethod, terms{}), grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
				conn, err := l.servers[at].DialContext(ctx)
				conns = append(conns, conn)
				return conn, err
			}))
			stream := opened(t.Context(), t, cc, chatMethod)
			if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
				t.Fatal(err)
			}
			var got []string
			var err error
			ended := make(chan struct{})
			go func() { got, err = drained(stream); close(ended) }()
			synctest.Wait()
			if closed := conns[0].Close(); closed != nil {
				t.Fatal(closed)
			}
			synctest.Wait()
			sent := errors.Join(stream.SendMsg(wrapperspb.String("2")), stream.CloseSend())
			<-ended
			if committed {
				stopped(t, err, codes.Unavailable, retry.StopCommitted, 1)
				if !errors.Is(sent, io.EOF) {
					t.Errorf("sending returned %v, want io.EOF", sent)
				}
				return
			}
			if sent != nil || !errors.Is(err, io.EOF) {
				t.Error(sent, err)
			}
			same(t, "received", got, []string{"taken"})
			same(t, "the second stream took", second, []string{"1", "2"})
		})
	}
}

// Closing the channel ends its streams, whatever the caller is at.
func TestStreamOfAClosedChannel(t *testing.T) {
	for _, inside := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, hangs)
			var finished []error
			cc := l.dial(t, newRetrier(t, chatMethod, terms{}))
			stream := opened(t.Context(), t, cc, chatMethod, grpc.OnFinish(func(err error) { finished = append(finished, err) }))
			received := make(chan error, 1)
			if inside {
				go func() { received <- stream.RecvMsg(new(wrapperspb.StringValue)) }()
			}
			synctest.Wait()
			if err := cc.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !inside {
				received <- stream.RecvMsg(new(wrapperspb.StringValue))
			}
			err := <-received
			stopped(t, err, codes.Canceled, retry.StopClosing, 1)
			if len(finished) != 1 || !errors.Is(finished[0], err) {
				t.Errorf("OnFinish was called with %v, want once, with %v", finished, err)
			}
		})
	}
}

// When a credential ends, its streams do. Nothing is tried again with it, and what was delivered stays delivered.
func TestStreamWhoseCredentialEnds(t *testing.T) {
	for n, reason := range map[int]retry.StopReason{0: retry.StopNotRetryable, 2: retry.StopCommitted} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, sends(1, n, status.Error(codes.Unauthenticated, "credentials expired")))
			got, err := drained(watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{}))))
			if len(got) != n {
				t.Errorf("received %q", got)
			}
			stopped(t, err, codes.Unauthenticated, reason, 1)
			l.saw(t, 1)
		})
	}
}

// The breaker takes in how attempts of streams end: one that delivered and failed is a failure, not both.
func TestStreamsAndTheBreaker(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script act
		runs   int
		opens  bool
	}{
		{"failures after messages", sends(0, 2, errScripted), 5, true},
		{"failures before messages", fails(codes.Unavailable), 5, true},
		{"too few failures", fails(codes.Unavailable), 3, false},
		{"successes", sends(0, 2, nil), 5, false},
		{"as many successes as failures", nil, 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				acts(l, func(ctx context.Context, stream grpc.ServerStream) error {
					switch {
					case tt.script != nil:
						return tt.script(ctx, stream)
					case l.calls.Load()%2 == 0:
						return errScripted
					default:
						return sends(0, 2, nil)(ctx, stream)
					}
				})
				cc := l.dial(t, newRetrier(t, watchMethod, terms{attempts: 1},
					retry.WithBreaker(retry.Breaker{FailureRatio: 0.6, MinAttempts: 5, Window: time.Minute, StopsCalls: true})))
				for range tt.runs {
					_, _ = drained(watched(t.Context(), t, cc))
				}
				_, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, watchMethod) // the one that finds out
				if err != nil {
					t.Fatal(err)
				}
				_, err = cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, watchMethod)
				if failed, _ := errors.AsType[*retry.Error](err); tt.opens != (failed != nil && failed.Reason == retry.StopCircuitOpen) {
					t.Errorf("the stream returned %v", err)
				}
			})
		})
	}
}

// gRPC's own retry, where it is on, has the stream to itself.
func TestScenario22NativeRetryOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, fails(codes.Unavailable))
		r := newRetrier(t, watchMethod, terms{attempts: 3})
		cc := l.dialPlain(t, grpc.WithStreamInterceptor(r.StreamClientInterceptor), grpc.WithDefaultServiceConfig(nativeRetry))
		_, err := drained(watched(t.Context(), t, cc))
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 1)
		l.saw(t, 3)
	})
}

func TestReplayOptions(t *testing.T) {
	for want, opts := range map[string][]retry.Option{
		"retry.WithReplayMemory": {retry.WithReplayMemory(nil)},
		"retry.WithReplayLimit":  {retry.WithReplayLimit(-1)},
		"":                       {retry.WithReplayLimit(0), retry.WithReplayMemory(retry.DefaultReplayMemory())},
	} {
		r := retry.New(opts...)
		if err := r.Check(); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want a mistake of %q", err, want)
		}
		_ = r.Close()
	}
}

// With nothing to keep, streams work and are retried until they have sent something.
func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, fails(codes.Unavailable), sends(0, 0, nil))
		cc := l.dial(t, newRetrier(t, chatMethod, terms{}, retry.WithReplayLimit(0)))
		got, err := drained(opened(t.Context(), t, cc, chatMethod))
		same(t, "received", got, []string{"0"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		l.calls.Store(0)
		var taken []string
		acts(l, takes(1, &taken, status.Error(codes.Unavailable, "scripted")), sends(0, 0, nil))
		stream := opened(t.Context(), t, cc, chatMethod)
		if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
			t.Fatal(err)
		}
		_, err = drained(stream)
		stopped(t, err, codes.Unavailable, retry.StopBufferOverflow, 1)
	})
}

// refusing is a server that goes away when it is asked something, before it has processed anything.
func refusing(conn net.Conn) error {
	const preface, header = 24, 9
	if _, err := io.CopyN(io.Discard, conn, preface); err != nil {
		return err
	}
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	goAway := []byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // the last stream that was processed is 0
	if _, err := conn.Write(settings); err != nil {
		return err
	}
	for {
		var frame [header]byte
		if _, err := io.ReadFull(conn, frame[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, conn, int64(frame[0])<<16|int64(frame[1])<<8|int64(frame[2])); err != nil {
			return err
		}
		if headers := byte(1); frame[3] == headers {
			_, err := conn.Write(goAway)
			if err == nil {
				_, err = io.Copy(io.Discard, conn)
			}
			return err
		}
	}
}

// What a server provably did not process gRPC itself sends again, within one attempt. It costs no budget, is the first
// attempt, and what is sent comes once.
func TestTransparentRetryIsWithinAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var got []string
		acts(l, takes(-1, &got, errScripted), answers(takes(-1, &got, nil)))
		dialled := 0
		r := newRetrier(t, uploadMethod, terms{})
		cc := l.dial(t, r, grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
			if dialled++; dialled > 1 {
				return l.servers[at].DialContext(ctx)
			}
			ours, theirs := net.Pipe()
			go func() {
				_ = refusing(theirs)
				_ = theirs.Close()
			}()
			return ours, nil
		}))
		stream := opened(t.Context(), t, cc, uploadMethod)
		if err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.SendMsg(wrapperspb.String("2")), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			t.Fatal(err)
		}
		same(t, "the two attempts took", got, []string{"1", "2", "1", "2"})
		if dialled != 2 {
			t.Errorf("%d connections, want two", dialled)
		}
		l.saw(t, 2)
		if b := r.BudgetBalance(); b != 10 {
			t.Errorf("the balance is %v, want 10", b)
		}
	})
}
