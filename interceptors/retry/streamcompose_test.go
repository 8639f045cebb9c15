package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/rpcerr"
)

// Streams and everything else that decides about another attempt: the questions are those of unary calls.
func TestStreamsStopForTheSameReasons(t *testing.T) {
	type setup struct {
		method  string
		terms   terms
		opts    []retry.Option
		script  act
		before  func(r *retry.Retrier)
		ctx     func(ctx context.Context) (context.Context, context.CancelFunc)
		code    codes.Code
		reason  retry.StopReason
		want    int // attempts
		elapsed time.Duration
	}
	pushes := func(value string) act {
		return func(_ context.Context, stream grpc.ServerStream) error {
			stream.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", value))
			return errScripted
		}
	}
	for name, tt := range map[string]setup{
		"attempts":         {script: fails(codes.Unavailable), reason: retry.StopAttemptsExhausted, want: 3, elapsed: 75 * ms},
		"one attempt":      {terms: terms{attempts: 1}, script: fails(codes.Unavailable), reason: retry.StopAttemptsExhausted, want: 1},
		"code":             {script: fails(codes.Internal), code: codes.Internal, reason: retry.StopNotRetryable, want: 1},
		"refused identity": {script: fails(codes.Unauthenticated), code: codes.Unauthenticated, reason: retry.StopNotRetryable, want: 1},
		"idempotency":      {method: talkMethod, script: fails(codes.Unavailable), reason: retry.StopNotIdempotent, want: 1},
		"pushback":         {script: pushes("-1"), reason: retry.StopPushback, want: 1},
		"pushback waits":   {terms: terms{attempts: 2}, script: pushes("250"), reason: retry.StopAttemptsExhausted, want: 2, elapsed: 262*ms + ms/2},
		"deadline of the method": {
			terms: terms{deadline: time.Second, initial: time.Minute}, script: fails(codes.Unavailable), reason: retry.StopDeadline, want: 1,
		},
		"deadline of the caller": {
			terms: terms{initial: time.Minute}, script: fails(codes.Unavailable), reason: retry.StopDeadline, want: 1,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
		},
		"the earlier deadline": {
			terms: terms{deadline: time.Minute, initial: 20 * time.Second, limit: 20 * time.Second}, script: fails(codes.Unavailable), reason: retry.StopDeadline, want: 1,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
		},
		"the deadline passes": {
			terms: terms{deadline: time.Second}, script: hangs, code: codes.DeadlineExceeded, reason: retry.StopDeadline, want: 1, elapsed: time.Second,
		},
		"budget": {
			terms: terms{attempts: 9}, opts: []retry.Option{retry.WithBudget(retry.Budget{Max: 1})}, script: fails(codes.Unavailable),
			reason: retry.StopBudget, want: 2, elapsed: 25 * ms,
		},
		"switch": {before: func(r *retry.Retrier) { r.SetRetries(false) }, script: fails(codes.Unavailable), reason: retry.StopSwitchedOff, want: 1},
		"chain guard": {
			script: fails(codes.Unavailable), reason: retry.StopUpstreamRetrying, want: 1,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, _ = attempt.NewContext(ctx, 2, false, nil)
				return ctx, func() {}
			},
		},
		"breaker": {
			terms: terms{attempts: 9, initial: ms}, opts: []retry.Option{retry.WithBreaker(retry.Breaker{FailureRatio: 0.5, MinAttempts: 3, Window: time.Minute})},
			script: fails(codes.Unavailable), reason: retry.StopCircuitOpen, want: 3, elapsed: ms/2 + ms,
		},
		"closing": {
			terms: terms{initial: 20 * time.Second, limit: time.Minute}, script: fails(codes.Unavailable), reason: retry.StopClosing, want: 1, elapsed: time.Second,
			before: func(r *retry.Retrier) { time.AfterFunc(time.Second, func() { _ = r.Close() }) },
		},
		"the caller gives up in the wait": {
			terms: terms{initial: 20 * time.Second, limit: time.Minute}, script: fails(codes.Unavailable), code: codes.Canceled, reason: retry.StopCanceled, want: 1, elapsed: time.Second,
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				acts(l, tt.script)
				method := tt.method
				if method == "" {
					method = chatMethod
				}
				r := newRetrier(t, method, tt.terms, tt.opts...)
				cc := l.dial(t, r)
				ctx := t.Context()
				if tt.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = tt.ctx(ctx)
					defer cancel()
				}
				if tt.before != nil {
					tt.before(r)
				}
				code := tt.code
				if code == codes.OK {
					code = codes.Unavailable
				}
				start := time.Now()
				stream := opened(ctx, t, cc, method)
				if err := stream.SendMsg(wrapperspb.String("hello")); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				_, err := drained(stream)
				stopped(t, err, code, tt.reason, tt.want)
				took(t, start, tt.elapsed)
				l.saw(t, tt.want)
				if again := stream.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(again, err) {
					t.Errorf("receiving again returned %v, want %v", again, err)
				}
				if err := stream.SendMsg(wrapperspb.String("late")); !errors.Is(err, io.EOF) {
					t.Errorf("sending at the end returned %v, want io.EOF", err)
				}
			})
		})
	}
}

// Opening a stream is retried too, and what never left is repeated even if the method must not be.
func TestStreamThatCannotBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 1, nil))
		l.down.Store(true)
		cc := l.dial(t, newRetrier(t, talkMethod, terms{initial: 200 * ms}))
		time.AfterFunc(50*ms, func() { l.down.Store(false) })
		got, err := drained(opened(t.Context(), t, cc, talkMethod))
		same(t, "received", got, []string{"0", "1"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		l.saw(t, 1)
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		l.down.Store(true)
		var finished []error
		cc := l.dial(t, newRetrier(t, talkMethod, terms{}))
		var from peer.Peer
		_, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, talkMethod, grpc.Peer(&from),
			grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		if len(finished) != 1 || !errors.Is(finished[0], err) || from.Addr != nil {
			t.Errorf("OnFinish was called with %v, and the peer is %v", finished, from.Addr)
		}
	})
}

// A server that never ran the handler says so in the trailer; the request was sent, and is sent again.
func TestUnprocessedStreamIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, func(ctx context.Context, _ grpc.ServerStream) error {
			return errors.Join(rpcerr.SetUnprocessed(ctx), errScripted)
		}, sends(0, 1, nil))
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, talkMethod, terms{})), talkMethod)
		if err := stream.SendMsg(wrapperspb.String("hello")); err != nil {
			t.Fatal(err)
		}
		got, err := drained(stream)
		same(t, "received", got, []string{"0", "1"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		l.saw(t, 2)
	})
}

// A header that the caller has had commits the stream, and so does its context.
func TestWhatCommits(t *testing.T) {
	for name, tt := range map[string]struct {
		use    func(grpc.ClientStream)
		reason retry.StopReason
	}{
		"header":  {func(s grpc.ClientStream) { _, _ = s.Header() }, retry.StopCommitted},
		"context": {func(s grpc.ClientStream) { _ = s.Context() }, retry.StopCommitted},
		"nothing": {func(grpc.ClientStream) {}, retry.StopAttemptsExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				acts(l, func(ctx context.Context, stream grpc.ServerStream) error {
					return errors.Join(stream.SendHeader(nil), sleep(ctx, ms), errScripted)
				})
				stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{attempts: 2})))
				tt.use(stream)
				_, err := drained(stream)
				if failed := failure(t, err); failed.Reason != tt.reason {
					t.Errorf("stopped for %s, want %s", failed.Reason, tt.reason)
				}
			})
		})
	}
}

// A stream without a header is retried by the operation that asks for the header, and its status is received.
func TestHeaderIsWaitedForOverAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, fails(codes.Unavailable), fails(codes.Unavailable), func(_ context.Context, stream grpc.ServerStream) error {
			return errors.Join(stream.SendHeader(metadata.Pairs("h", "3")), stream.SendMsg(wrapperspb.String("0")))
		})
		start := time.Now()
		stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{})))
		header, err := stream.Header()
		same(t, "header", header.Get("h"), []string{"3"})
		if err != nil {
			t.Error(err)
		}
		took(t, start, 75*ms)
		got, err := drained(stream)
		same(t, "received", got, []string{"0"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, fails(codes.Unavailable))
		stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{})))
		if header, err := stream.Header(); header != nil || err != nil {
			t.Errorf("the header is %v, %v, want none, as gRPC has it", header, err)
		}
		_, err := drained(stream)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
	})
}

// A message that arrived before the end is not lost when it is the sender who finds the end.
func TestSenderFindsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 2, errScripted))
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{})), chatMethod)
		synctest.Wait()
		if err := stream.SendMsg(wrapperspb.String("hello")); !errors.Is(err, io.EOF) {
			t.Errorf("sending returned %v, want io.EOF", err)
		}
		got, err := drained(stream)
		same(t, "received", got, []string{"0", "1", "2"})
		stopped(t, err, codes.Unavailable, retry.StopCommitted, 1)
	})
	synctest.Test(t, func(t *testing.T) { // which is a success
		l := newLab(t, nil)
		acts(l, sends(0, -1, nil))
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{})), chatMethod)
		synctest.Wait()
		if err := stream.SendMsg(wrapperspb.String("hello")); !errors.Is(err, io.EOF) {
			t.Errorf("sending returned %v, want io.EOF", err)
		}
		if _, err := drained(stream); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// The per-attempt timeout counts only while the server has what it needs, and the caller waits.
func TestTimeoutWaitsForTheRequest(t *testing.T) {
	for _, method := range []string{uploadMethod, chatMethod} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var got []string
			acts(l, answers(takes(-1, &got, nil)))
			cc := l.dial(t, newRetrier(t, method, terms{perAttempt: 50 * ms}))
			stream := opened(t.Context(), t, cc, method)
			received := make(chan error)
			go func() { received <- stream.RecvMsg(new(wrapperspb.StringValue)) }()
			time.Sleep(time.Hour)
			if method == uploadMethod {
				if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
			}
			if err := errors.Join(stream.SendMsg(wrapperspb.String("2")), stream.CloseSend(), <-received); err != nil {
				t.Error(err)
			}
			l.saw(t, 1)
		})
	}
}

// A caller who is late finds the message that has been there all the time.
func TestTimeoutWaitsForTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 1, nil))
		stream := watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{perAttempt: 50 * ms})))
		time.Sleep(time.Hour)
		got, err := drained(stream)
		same(t, "received", got, []string{"0", "1"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		l.saw(t, 1)
	})
}

// A server that answers before it reads on blocks no other: what was sent is sent again while the caller receives.
func TestReplayDoesNotBlockReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20 // so that neither side can go on while the other one does not read
		l := newLab(t, nil)
		var first, second []string
		acts(l, takes(7, &first, errScripted), func(ctx context.Context, stream grpc.ServerStream) error {
			for range 20 {
				if err := stream.SendMsg(wrapperspb.String(strings.Repeat("y", size))); err != nil {
					return err
				}
			}
			return takes(-1, &second, nil)(ctx, stream)
		})
		memory := retry.DefaultReplayMemory()
		r := newRetrier(t, chatMethod, terms{}, retry.WithReplayMemory(memory), retry.WithReplayLimit(16<<20))
		stream := opened(t.Context(), t, l.dial(t, r), chatMethod)
		for range 7 {
			if err := stream.SendMsg(wrapperspb.String(strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		var err error
		ended := make(chan struct{})
		go func() { got, err = drained(stream); close(ended) }()
		time.Sleep(time.Second)
		if sent := errors.Join(stream.SendMsg(wrapperspb.String("last")), stream.CloseSend()); sent != nil {
			t.Error(sent)
		}
		<-ended
		if len(got) != 20 || !errors.Is(err, io.EOF) {
			t.Errorf("received %d messages and %v", len(got), err)
		}
		if len(second) != 8 || second[7] != "last" {
			t.Errorf("the second stream took %d messages", len(second))
		}
		if memory.InUse() != 0 {
			t.Errorf("%d bytes are still kept", memory.InUse())
		}
	})
}

// A caller who gives a stream up while at none of its operations is done with it.
func TestAbandonedStreamIsOver(t *testing.T) {
	for _, sending := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, hangs)
			memory := retry.NewReplayMemory(1 << 20)
			var finished []error
			ctx, cancel := context.WithCancel(t.Context())
			stream := opened(ctx, t, l.dial(t, newRetrier(t, chatMethod, terms{}, retry.WithReplayMemory(memory))), chatMethod,
				grpc.OnFinish(func(err error) { finished = append(finished, err) }))
			if sending {
				if err := stream.SendMsg(wrapperspb.String("kept")); err != nil || memory.InUse() != 64+6 {
					t.Fatalf("%v, and %d bytes are kept", err, memory.InUse())
				}
			}
			cancel()
			synctest.Wait()
			if len(finished) != 1 || status.Code(finished[0]) != codes.Canceled || memory.InUse() != 0 {
				t.Errorf("OnFinish was called with %v, and %d bytes are kept", finished, memory.InUse())
			}
		})
	}
}

// All streams of a process share one bound; who finds it full goes on without being retried.
func TestReplayMemoryIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, hangs)
		memory := retry.NewReplayMemory(3 * (64 + 3))
		cc := l.dial(t, newRetrier(t, chatMethod, terms{}, retry.WithReplayMemory(memory)))
		ctx, cancel := context.WithCancel(t.Context())
		streams := make([]grpc.ClientStream, 5)
		for i := range streams {
			streams[i] = opened(ctx, t, cc, chatMethod)
			if err := streams[i].SendMsg(wrapperspb.String("x")); err != nil {
				t.Fatal(err)
			}
		}
		if memory.InUse() != 3*(64+3) {
			t.Errorf("%d bytes are kept, want those of three streams", memory.InUse())
		}
		cancel()
		for i, stream := range streams {
			_, err := drained(stream)
			if status.Code(err) != codes.Canceled {
				t.Errorf("stream %d ended with %v", i, err)
			}
		}
		if memory.InUse() != 0 {
			t.Errorf("%d bytes are still kept", memory.InUse())
		}
	})
}

// The events of a stream are those of a call.
func TestEventsOfStreams(t *testing.T) {
	for name, tt := range map[string]struct {
		script []act
		want   []string
	}{
		"recovered": {[]act{fails(codes.Unavailable), sends(0, 0, nil)}, []string{
			"retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=replica:1",
			"parley.attempts=2 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0.025",
		}},
		"committed": {[]act{sends(0, 0, errScripted)}, []string{
			"retry.aborted reason=committed endpoint=replica:1",
			"parley.attempts=1 parley.retry.outcome=committed parley.retry.stop_reason=committed parley.retry.delay=0",
		}},
		"exhausted": {[]act{hangs, fails(codes.Unavailable)}, []string{
			"retry.scheduled next_attempt=2 backoff_s=0.025 cause=per_try_timeout source=policy endpoint=replica:1",
			"retry.exhausted reason=attempts_exhausted endpoint=replica:1",
			"parley.attempts=2 parley.retry.outcome=attempts_exhausted parley.retry.stop_reason=attempts_exhausted parley.retry.delay=0.025",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				acts(l, tt.script...)
				cc := l.dial(t, newRetrier(t, watchMethod, terms{attempts: 2, perAttempt: 100 * ms}))
				got := traced(t.Context(), func(ctx context.Context) { _, _ = drained(watched(ctx, t, cc)) })
				if want := strings.Join(tt.want, "\n") + "\n"; got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
			})
		})
	}
}

// Attempts of a stream are numbered, announced to the server, and know the endpoints that were tried.
func TestAttemptsOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var announced, tried []string
		l := newLab(t, nil)
		l.watch = func(ctx context.Context, _ grpc.ServerStream) error {
			announced = append(announced, strings.Join(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts"), ","))
			return errScripted
		}
		cc := l.dial(t, newRetrier(t, watchMethod, terms{}), grpc.WithChainStreamInterceptor(
			func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
				a := attempt.FromContext(ctx)
				tried = append(tried, fmt.Sprint(a.Number(), a.Tried()))
				return streamer(ctx, desc, cc, method, opts...)
			}))
		_, err := drained(watched(t.Context(), t, cc))
		same(t, "endpoints", failure(t, err).Endpoints, []string{"replica:1", "replica:1", "replica:1"})
		same(t, "announced", announced, []string{"", "1", "2"})
		same(t, "attempts", tried, []string{"1 []", "2 [replica:1]", "3 [replica:1]"})
	})
}

// A refused credential that was renewed is worth one more attempt, which sends everything again.
func TestScenario37StreamWithARenewedCredential(t *testing.T) {
	for _, renewals := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var first, second []string
			refused := status.Error(codes.Unauthenticated, "scripted")
			acts(l, takes(-1, &first, refused), answers(takes(-1, &second, map[bool]error{true: refused}[renewals == 2])))
			cc := l.dial(t, newRetrier(t, uploadMethod, terms{}), grpc.WithChainStreamInterceptor(
				func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
					stream, err := streamer(ctx, desc, cc, method, opts...)
					return &interceptedStream{ClientStream: stream, receive: func(_ int, next func(any) error, m any) error {
						err := next(m)
						if a := attempt.FromContext(ctx); status.Code(err) == codes.Unauthenticated && a.Renewable() {
							a.Renew()
						}
						return err
					}}, err
				}))
			stream := opened(t.Context(), t, cc, uploadMethod)
			start := time.Now()
			err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.CloseSend())
			if err != nil {
				t.Fatal(err)
			}
			err = stream.RecvMsg(new(wrapperspb.StringValue))
			if renewals == 1 && err != nil {
				t.Error(err)
			} else if renewals == 2 {
				stopped(t, err, codes.Unauthenticated, retry.StopNotRetryable, 2)
			}
			same(t, "the second stream took", second, []string{"1"})
			took(t, start, 0)
			l.saw(t, 2)
		})
	}
}

// Everything that may run concurrently does. The race detector watches.
func TestOperationsRunConcurrently(t *testing.T) {
	for seed := range rounds.Of(20) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var got []string
			acts(l, takes(seed%7, &got, errScripted), fails(codes.Unavailable), answers(func(_ context.Context, stream grpc.ServerStream) error {
				return stream.RecvMsg(new(wrapperspb.StringValue))
			}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream := opened(ctx, t, l.dial(t, newRetrier(t, chatMethod, terms{})), chatMethod)
			var all sync.WaitGroup
			all.Go(func() {
				for range 10 {
					if stream.SendMsg(wrapperspb.String("x")) != nil {
						break
					}
				}
				_ = stream.CloseSend()
			})
			all.Go(func() { _, _ = drained(stream); _ = stream.Trailer() })
			all.Go(func() { _, _ = stream.Header() })
			if seed%3 == 0 {
				all.Go(func() { time.Sleep(time.Duration(seed) * ms); _ = stream.Context() })
			}
			if seed%5 == 0 {
				all.Go(func() { time.Sleep(time.Duration(seed%80) * ms); cancel() })
			}
			all.Wait()
		})
	}
}
