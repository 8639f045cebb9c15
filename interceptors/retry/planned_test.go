package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

var errPlanned = rpcerr.New(rpcerr.PlannedEnd, "the connection reaches its age", nil).GRPCStatus().Err()

// A resumed stream lives through any number of planned ends, without budget, as long as they are as rare as planned
// ends are.
func TestResumeMovesOnFromPlannedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ends = 48 // a day of connections that live for half an hour
		l := newLab(t, nil)
		l.watch = func(ctx context.Context, stream grpc.ServerStream) error {
			m := new(wrapperspb.StringValue)
			if err := stream.RecvMsg(m); err != nil {
				return err
			}
			if previous := metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts"); len(previous) > 0 {
				t.Errorf("the stream says that %v attempts came before", previous)
			}
			from := 0
			_, _ = fmt.Sscan(m.GetValue(), &from)
			if from == ends {
				return nil
			}
			time.Sleep(30 * time.Minute)
			return sends(from+1, from+1, errPlanned)(ctx, stream)
		}
		// No message may earn, and no time either.
		r := newRetrier(t, watchMethod, terms{}, retry.WithBudget(retry.Budget{Max: 1}))
		stream, err := retry.Resume(t.Context(), feed(l.dial(t, r), watchMethod))
		if err != nil {
			t.Fatal(err)
		}
		got, err := delivered(t, stream)
		if len(got) != ends || !errors.Is(err, io.EOF) {
			t.Errorf("%d messages and then %v, want %d and io.EOF", len(got), err, ends)
		}
		if spent, _ := r.BudgetUse(); spent != 0 || r.BudgetBalance() != 1 {
			t.Errorf("%d retries were paid for, and the balance is %v", spent, r.BudgetBalance())
		}
	})
}

// A server that says so again and again gets no more openings than one that fails.
func TestPlannedEndsMakeNoStorm(t *testing.T) {
	for _, end := range []error{errPlanned, errScripted} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, sends(1, 1, end))
			r := newRetrier(t, watchMethod, terms{initial: ms, limit: ms}, retry.WithBudget(retry.Budget{Max: 5}))
			stream, err := retry.Resume(t.Context(), feed(l.dial(t, r), watchMethod))
			if err != nil {
				t.Fatal(err)
			}
			_, err = delivered(t, stream)
			if failed := failure(t, err); failed.Reason != retry.StopBudget {
				t.Error(err)
			}
			free := 0
			if errors.Is(end, errPlanned) {
				free = 1
			}
			l.saw(t, 1+5+free)
		})
	}
}

// A call and a stream of which the caller has nothing move on from a planned end once for free, where they may be
// repeated.
func TestPlannedEndOfAnAttempt(t *testing.T) {
	for _, method := range []string{readMethod, actMethod, watchMethod, talkMethod} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, func(_ context.Context, n int) error {
				if n == 1 {
					return errPlanned
				}
				return nil
			})
			acts(l, sends(1, 0, errPlanned), sends(1, 1, nil))
			r := newRetrier(t, method, terms{}, retry.WithBudget(retry.Budget{Max: 1}),
				retry.WithBreaker(retry.Breaker{FailureRatio: 0.1, MinAttempts: 1, Window: time.Minute}))
			cc := l.dial(t, r)
			var err error
			if method == readMethod || method == actMethod {
				_, err = call(t.Context(), cc, method)
			} else {
				stream := opened(t.Context(), t, cc, method)
				if err = stream.CloseSend(); err == nil {
					err = stream.RecvMsg(new(wrapperspb.StringValue))
				}
			}
			if method == actMethod || method == talkMethod {
				stopped(t, err, codes.Unavailable, retry.StopNotIdempotent, 1)
				return
			}
			if err != nil {
				t.Errorf("%s: %v", method, err)
			}
			if r.BudgetBalance() != 1 {
				t.Errorf("%s: the balance is %v, want 1", method, r.BudgetBalance())
			}
		})
	}
}
