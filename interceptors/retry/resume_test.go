package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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

// feed is a client stub as the generated code makes it. It asks for the messages after the last one.
func feed(cc grpc.ClientConnInterface, method string) func(ctx context.Context, last *wrapperspb.StringValue) (grpc.ServerStreamingClient[wrapperspb.StringValue], error) {
	return func(ctx context.Context, last *wrapperspb.StringValue) (grpc.ServerStreamingClient[wrapperspb.StringValue], error) {
		stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
		if err != nil {
			return nil, err
		}
		x := &grpc.GenericClientStream[wrapperspb.StringValue, wrapperspb.StringValue]{ClientStream: stream}
		return x, errors.Join(x.SendMsg(last), x.CloseSend())
	}
}

// counting is a feed of the numbers up to last. Each of its streams sends as many as it is told and then fails; once it
// is told nothing more, it sends all.
func counting(l *lab, last int, asked *[]string, streams ...int) {
	n := 0
	l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
		m := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(m); err != nil {
			return err
		}
		*asked = append(*asked, m.GetValue()+"/"+strings.Join(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts"), ","))
		from := 0
		_, _ = fmt.Sscan(m.GetValue(), &from)
		n++
		if n > len(streams) {
			return sends(from+1, last, nil)(ctx, stream)
		}
		return sends(from+1, from+streams[n-1], errScripted)(ctx, stream)
	}
}

func delivered(t *testing.T, stream grpc.ServerStreamingClient[wrapperspb.StringValue]) (got []string, err error) {
	t.Helper()
	for {
		m, err := stream.Recv()
		if err != nil {
			return got, err
		}
		got = append(got, m.GetValue())
	}
}

func TestResume(t *testing.T) {
	for name, tt := range map[string]struct {
		method  string
		terms   terms
		opts    []retry.Option
		streams []int // how many messages each sends before it fails
		got     int
		code    codes.Code
		reason  retry.StopReason
		count   int // attempts of the error
		asked   []string
		elapsed time.Duration
		balance float64
	}{
		"nothing fails":           {got: 9, asked: []string{"/"}, balance: 10},
		"goes on where it was":    {streams: []int{3, 2}, got: 9, asked: []string{"/", "3/1", "5/1"}, elapsed: 50 * ms, balance: 9.1},
		"fails before it begins":  {streams: []int{0, 3}, got: 9, asked: []string{"/", "/1", "3/1"}, elapsed: 50 * ms, balance: 10},
		"unknown idempotency":     {method: talkMethod, streams: []int{2, 0, 1}, got: 9, asked: []string{"/", "2/1", "2/2", "3/1"}, elapsed: 25*ms + 50*ms + 25*ms, balance: 8.1},
		"no message, not allowed": {method: talkMethod, streams: []int{0}, code: codes.Unavailable, reason: retry.StopNotIdempotent, count: 1, asked: []string{"/"}, balance: 10},
		"more often than MaxAttempts, with progress": {
			streams: []int{1, 1, 1, 1, 1, 1}, got: 9, asked: []string{"/", "1/1", "2/1", "3/1", "4/1", "5/1", "6/1"}, elapsed: 150 * ms, balance: 5.1,
		},
		"MaxAttempts without progress": {
			streams: []int{2, 0, 0, 0}, got: 2, code: codes.Unavailable, reason: retry.StopAttemptsExhausted, count: 3,
			asked: []string{"/", "2/1", "2/2"}, elapsed: 75 * ms, balance: 8,
		},
		"one attempt": {terms: terms{attempts: 1}, streams: []int{2}, got: 2, code: codes.Unavailable, reason: retry.StopAttemptsExhausted, count: 1, asked: []string{"/"}, balance: 10},
		"the budget bounds progress": {
			opts:    []retry.Option{retry.WithBudget(retry.Budget{Ratio: 0.5, Max: 2})},
			streams: []int{1, 1, 1, 1, 1}, got: 3, code: codes.Unavailable, reason: retry.StopBudget, count: 1,
			asked: []string{"/", "1/1", "2/1"}, elapsed: 50 * ms,
		},
		"one deadline for all": {
			terms: terms{deadline: 90 * ms}, streams: []int{1, 1, 1, 1, 1}, got: 4, code: codes.Unavailable, reason: retry.StopDeadline, count: 1,
			asked: []string{"/", "1/1", "2/1", "3/1"}, balance: 7,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				var asked []string
				counting(l, 9, &asked, tt.streams...)
				method := tt.method
				if method == "" {
					method = watchMethod
				}
				opts := append([]retry.Option{retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 10})}, tt.opts...)
				r := newRetrier(t, method, tt.terms, opts...)
				start := time.Now()
				stream, err := retry.Resume(t.Context(), feed(l.dial(t, r), method))
				if err != nil {
					t.Fatal(err)
				}
				got, err := delivered(t, stream)
				var want []string
				for i := range tt.got {
					want = append(want, fmt.Sprint(i+1))
				}
				same(t, "delivered", got, want)
				if tt.code == codes.OK {
					if !errors.Is(err, io.EOF) {
						t.Errorf("the stream ended with %v", err)
					}
				} else {
					stopped(t, err, tt.code, tt.reason, tt.count)
					if failed := failure(t, err); len(failed.Endpoints) != tt.count {
						t.Errorf("%d endpoints of %d attempts", len(failed.Endpoints), tt.count)
					}
				}
				same(t, "asked for", asked, tt.asked)
				if tt.terms.deadline == 0 {
					took(t, start, tt.elapsed)
				}
				if b := r.BudgetBalance(); b != tt.balance {
					t.Errorf("the balance is %v, want %v", b, tt.balance)
				}
			})
		})
	}
}

// A stream that waits for its next opening ends when its caller or its Retrier does.
func TestResumeIsInterrupted(t *testing.T) {
	for _, closing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var asked []string
			counting(l, 9, &asked, 2)
			r := newRetrier(t, watchMethod, terms{initial: 20 * time.Second, limit: time.Minute})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := retry.Resume(ctx, feed(l.dial(t, r), watchMethod))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			time.AfterFunc(time.Second, func() {
				if closing {
					_ = r.Close()
				} else {
					cancel()
				}
			})
			got, err := delivered(t, stream)
			same(t, "delivered", got, []string{"1", "2"})
			if closing {
				stopped(t, err, codes.Unavailable, retry.StopClosing, 1)
			} else {
				stopped(t, err, codes.Canceled, retry.StopCanceled, 1)
			}
			took(t, start, time.Second)
			l.saw(t, 1)
		})
	}
}

// Failures that are never retried are not resumed from, nor is anything without a Retrier.
func TestWhatIsNotResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(1, 2, status.Error(codes.DataLoss, "scripted")))
		stream, err := retry.Resume(t.Context(), feed(l.dial(t, newRetrier(t, watchMethod, terms{})), watchMethod))
		if err != nil {
			t.Fatal(err)
		}
		_, err = delivered(t, stream)
		stopped(t, err, codes.DataLoss, retry.StopNotRetryable, 1)
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(1, 2, errScripted))
		stream, err := retry.Resume(t.Context(), feed(l.dialPlain(t), watchMethod))
		if err != nil {
			t.Fatal(err)
		}
		got, err := delivered(t, stream)
		same(t, "delivered", got, []string{"1", "2"})
		if status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
		l.saw(t, 1)
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		refused := errors.New("the application cannot go on")
		acts(l, sends(1, 2, errScripted))
		open := feed(l.dial(t, newRetrier(t, watchMethod, terms{})), watchMethod)
		stream, err := retry.Resume(t.Context(), func(ctx context.Context, last *wrapperspb.StringValue) (grpc.ServerStreamingClient[wrapperspb.StringValue], error) {
			if last != nil {
				return nil, refused
			}
			return open(ctx, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := delivered(t, stream); !errors.Is(err, refused) {
			t.Errorf("the stream ended with %v", err)
		}
		l.saw(t, 1)
	})
}

// Any other stream and call that open makes is a call of its own.
func TestOnlyTheStreamIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, failing(0, codes.OK))
		l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
			m := new(wrapperspb.StringValue)
			if err := stream.RecvMsg(m); err != nil {
				return err
			}
			switch m.GetValue() {
			case "":
				return sends(1, 2, errScripted)(ctx, stream)
			case "2":
				return sends(3, 4, nil)(ctx, stream)
			default:
				return sends(1, 1, errScripted)(ctx, stream)
			}
		}
		cc := l.dial(t, newRetrier(t, watchMethod, terms{}))
		open := feed(cc, watchMethod)
		stream, err := retry.Resume(t.Context(), func(ctx context.Context, last *wrapperspb.StringValue) (grpc.ServerStreamingClient[wrapperspb.StringValue], error) {
			if _, err := call(ctx, cc, readMethod); err != nil {
				return nil, err
			}
			stream, err := open(ctx, last)
			if err != nil {
				return nil, err
			}
			other, err := open(ctx, wrapperspb.String("other"))
			if err != nil {
				return nil, err
			}
			got, err := delivered(t, other)
			same(t, "the other stream delivered", got, []string{"1"})
			stopped(t, err, codes.Unavailable, retry.StopCommitted, 1)
			return stream, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := delivered(t, stream)
		same(t, "delivered", got, []string{"1", "2", "3", "4"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}
