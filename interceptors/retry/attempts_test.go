package retry_test

import (
	"context"
	"errors"
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

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// A CANCELLED or any other status that the server itself sends follows the list of codes.
func TestScenario35CodesAreWhatTheServerSent(t *testing.T) {
	for _, tt := range []struct {
		code     codes.Code
		codes    []string
		reason   retry.StopReason
		attempts int
	}{
		{codes.Canceled, []string{"UNAVAILABLE"}, retry.StopNotRetryable, 1},
		{codes.Canceled, []string{"CANCELLED"}, retry.StopAttemptsExhausted, 3},
		{codes.Unavailable, nil, retry.StopAttemptsExhausted, 3},
		{codes.Unavailable, []string{"ABORTED"}, retry.StopNotRetryable, 1},
		{codes.Aborted, []string{"ABORTED", "UNAVAILABLE"}, retry.StopAttemptsExhausted, 3},
		{codes.Aborted, nil, retry.StopNotRetryable, 1},
		{codes.Internal, nil, retry.StopNotRetryable, 1},
		{codes.Unauthenticated, nil, retry.StopNotRetryable, 1},
		{codes.PermissionDenied, nil, retry.StopNotRetryable, 1},
		{codes.Code(77), nil, retry.StopNotRetryable, 1},
	} {
		t.Run(tt.code.String()+" of "+strings.Join(tt.codes, ","), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, always(tt.code))
				cc := l.dial(t, newRetrier(t, readMethod, terms{codes: tt.codes, perAttempt: 100 * time.Millisecond}))
				_, err := call(t.Context(), cc, readMethod)
				stopped(t, err, tt.code, tt.reason, tt.attempts)
				l.saw(t, tt.attempts)
			})
		})
	}
}

func TestScenario36OneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{attempts: 1})), readMethod)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 1)
		l.saw(t, 1)
	})
}

func TestMaxAttempts(t *testing.T) {
	for _, attempts := range []int{2, 3, 4, 10} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, always(codes.Unavailable))
			_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{attempts: attempts})), readMethod)
			stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, attempts)
			l.saw(t, attempts)
		})
	}
}

// The bound doubles from the first to the cap; this retrier waits for half of it.
func TestBackoffDoublesUpToTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		start := time.Now()
		cc := l.dial(t, newRetrier(t, readMethod, terms{attempts: 6, initial: 100 * time.Millisecond, limit: 400 * time.Millisecond}))
		_, err := call(t.Context(), cc, readMethod)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 6)
		took(t, start, (50+100+200+200+200)*time.Millisecond)
	})
}

// By default the bounds are 50ms and 100ms, then the three attempts are used up.
func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		start := time.Now()
		_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod)
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
		took(t, start, 75*time.Millisecond)
	})
}

func TestScenario38AttemptsAreNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var announced [][]string
		l := newLab(t, func(ctx context.Context, n int) error {
			announced = append(announced, metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts"))
			return failing(2, codes.Unavailable)(ctx, n)
		})
		var numbers []int
		cc := l.dial(t, newRetrier(t, readMethod, terms{}), grpc.WithChainUnaryInterceptor(
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				numbers = append(numbers, attempt.FromContext(ctx).Number())
				return invoker(ctx, method, req, reply, cc, opts...)
			}))
		ctx := metadata.AppendToOutgoingContext(t.Context(), "grpc-previous-rpc-attempts", "7", "other", "kept")
		if _, err := call(ctx, cc, readMethod); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(numbers, []int{1, 2, 3}) {
			t.Errorf("the attempts have the numbers %v, want 1, 2, 3", numbers)
		}
		if !slices.EqualFunc(announced, [][]string{{"7"}, {"1"}, {"2"}}, slices.Equal) {
			t.Errorf("the server was told of %v attempts before, want what the caller said, 1, 2", announced)
		}
	})
}

func TestScenario39CallerSeesTheFinalAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, n int) error {
			number := string(rune('0' + n))
			if err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("h", number)), grpc.SetTrailer(ctx, metadata.Pairs("t", number))); err != nil {
				return err
			}
			return failing(2, codes.Unavailable)(ctx, n)
		})
		var header, trailer metadata.MD
		var from peer.Peer
		var finished []error
		cc := l.dial(t, newRetrier(t, readMethod, terms{}))
		_, err := call(t.Context(), cc, readMethod, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from),
			grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		if err != nil {
			t.Fatal(err)
		}
		if got := header.Get("h"); !slices.Equal(got, []string{"3"}) {
			t.Errorf("the header is of attempt %q, want 3", got)
		}
		if got := trailer.Get("t"); !slices.Equal(got, []string{"3"}) {
			t.Errorf("the trailer is of attempt %q, want 3", got)
		}
		if from.Addr == nil || from.Addr.String() != "replica:1" {
			t.Errorf("the peer is %v, want replica:1", from.Addr)
		}
		if len(finished) != 1 || finished[0] != nil {
			t.Errorf("OnFinish was called with %v, want once, with nil", finished)
		}
	})
}

// The final attempt reaches no server. What an earlier one has left must not be taken for its own.
func TestCallerSeesThatTheFinalAttemptReachedNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error {
			if err := grpc.SetTrailer(ctx, metadata.Pairs("t", "1")); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "scripted")
		})
		var trailer metadata.MD
		var from peer.Peer
		var finished []error
		cc := l.dial(t, newRetrier(t, readMethod, terms{attempts: 2}), grpc.WithChainUnaryInterceptor(
			func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				if attempt.FromContext(ctx).Number() == 2 {
					return status.Error(codes.Unavailable, "no connection")
				}
				return invoker(ctx, method, req, reply, cc, opts...)
			}))
		_, err := call(t.Context(), cc, readMethod, grpc.Trailer(&trailer), grpc.Peer(&from), grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 2)
		failed := failure(t, err)
		if len(trailer) != 0 || from.Addr != nil {
			t.Errorf("trailer %v and peer %v are left of attempt 1, want none", trailer, from.Addr)
		}
		if len(finished) != 1 || !errors.Is(finished[0], err) {
			t.Errorf("OnFinish was called with %v, want once, with the error of the call", finished)
		}
		if !slices.Equal(failed.Endpoints, []string{"replica:1", ""}) {
			t.Errorf("the endpoints are %q, want replica:1 and none", failed.Endpoints)
		}
	})
}

func TestErrorIsTheRealStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, detailed(9, codes.FailedPrecondition, retryInfo(time.Second)))
		_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod)
		stopped(t, err, codes.FailedPrecondition, retry.StopNotRetryable, 1)
		st := status.Convert(err)
		if st.Message() != "scripted" || len(st.Details()) != 1 {
			t.Errorf("the status is %v, want that of the server with its detail", st.Proto())
		}
		if want := "rpc error: code = FailedPrecondition desc = scripted"; err.Error() != want {
			t.Errorf("the text is %q, want %q", err, want)
		}
		if !rpcerr.FromCall(err) {
			t.Error("the error does not say that it came out of a client call")
		}
		if got := status.Convert(rpcerr.StripHop(err)).Details(); len(got) != 0 {
			t.Errorf("a handler would pass %v on, want nothing", got)
		}
	})
}

// Errors of contexts that something between the retrier and gRPC returns count as what they are.
func TestBareContextErrors(t *testing.T) {
	r := newRetrier(t, readMethod, terms{})
	for want, returned := range map[codes.Code]error{
		codes.DeadlineExceeded: context.DeadlineExceeded,
		codes.Canceled:         context.Canceled,
		codes.Unknown:          errors.New("something else"),
	} {
		err := r.UnaryClientInterceptor(t.Context(), readMethod, nil, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return returned })
		stopped(t, err, want, retry.StopNotRetryable, 1)
		if !errors.Is(err, returned) {
			t.Errorf("%v does not match %v", err, returned)
		}
	}
}

func TestCodesThatAreNeverRetriedAreRefused(t *testing.T) {
	for _, code := range []string{"UNAUTHENTICATED", "PERMISSION_DENIED"} {
		r := retry.New(retry.WithPolicy(tableOf(t, readMethod, terms{codes: []string{"UNAVAILABLE", code}})))
		defer r.Close()
		err := r.Check()
		var mistake *policy.Mistake
		if !errors.As(err, &mistake) || mistake.Subject != readMethod || mistake.Field != "retry.codes" || !strings.Contains(err.Error(), code+" is never retried") {
			t.Errorf("Check = %v, want a mistake in retry.codes of %s", err, readMethod)
		}
		err = r.UnaryClientInterceptor(t.Context(), readMethod, nil, nil, nil, nil)
		if status.Code(err) != codes.FailedPrecondition || rpcerr.ReasonOf(err) != rpcerr.ConfigurationInvalid {
			t.Errorf("a call returned %v, want FAILED_PRECONDITION with CONFIGURATION_INVALID", err)
		}
	}
}
