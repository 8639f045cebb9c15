package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// Several reasons to stop hold at once; the one that is asked for first is given.
func TestOrderOfReasons(t *testing.T) {
	for _, tt := range []struct {
		name     string
		method   string
		terms    terms
		code     codes.Code
		pushback string
		drained  bool // no budget is left
		giveUp   bool // the caller gives up while the attempt fails
		want     retry.StopReason
		balance  float64
	}{
		{name: "canceled before attempts_exhausted", method: readMethod, terms: terms{attempts: 1}, code: codes.Unavailable, giveUp: true, want: retry.StopCanceled, balance: 10},
		{name: "attempts_exhausted before not_retryable", method: readMethod, terms: terms{attempts: 1}, code: codes.Internal, want: retry.StopAttemptsExhausted, balance: 10},
		{name: "not_retryable before not_idempotent", method: actMethod, code: codes.Internal, want: retry.StopNotRetryable, balance: 10},
		{name: "not_retryable before pushback", method: readMethod, code: codes.Internal, pushback: "-1", want: retry.StopNotRetryable, balance: 10},
		{name: "not_idempotent before pushback", method: actMethod, code: codes.Unavailable, pushback: "-1", want: retry.StopNotIdempotent, balance: 10},
		{name: "pushback before deadline", method: readMethod, terms: terms{deadline: time.Second, initial: time.Minute}, code: codes.Unavailable, pushback: "-1", want: retry.StopPushback, balance: 9},
		{name: "pushback before budget", method: readMethod, code: codes.Unavailable, pushback: "-1", drained: true, want: retry.StopPushback, balance: 0},
		{name: "deadline before budget", method: readMethod, terms: terms{deadline: time.Second, initial: time.Minute}, code: codes.Unavailable, drained: true, want: retry.StopDeadline, balance: 0},
		{name: "budget", method: readMethod, code: codes.Unavailable, drained: true, want: retry.StopBudget, balance: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				draining := tt.drained
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				l := newLab(t, func(ctx context.Context, _ int) error {
					if draining {
						return status.Error(codes.Unavailable, "draining the budget")
					}
					if tt.pushback != "" {
						if err := grpc.SetTrailer(ctx, metadata.Pairs(rpcerr.PushbackKey, tt.pushback)); err != nil {
							return err
						}
					}
					if tt.giveUp {
						cancel()
					}
					return status.Error(tt.code, "scripted")
				})
				r := newRetrier(t, tt.method, tt.terms, retry.WithBudget(retry.Budget{Max: 10}))
				cc := l.dial(t, r)
				for r.BudgetBalance() > 0 && draining {
					_, err := call(t.Context(), cc, writeMethod)
					reasonOf(t, err)
				}
				draining = false
				_, err := call(ctx, cc, tt.method)
				code := tt.code
				if tt.giveUp {
					code = codes.Canceled
				}
				stopped(t, err, code, tt.want, 1)
				if got := r.BudgetBalance(); got != tt.balance {
					t.Errorf("the balance is %v, want %v", got, tt.balance)
				}
			})
		})
	}
}
