package retry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	"github.com/parley-rpc/parley/internal/rounds"
)

// ledger checks over every window of calls that what was in vain stays within what the budget allows: its Ratio of the
// successes, and once its Max and the trickle.
type ledger struct {
	budget          retry.Budget
	calls, attempts int
	lowest, highest float64 // of what was in vain, beyond what successes and time have earned
}

func (l *ledger) add(t *testing.T, attempts, vain, successes int, elapsed time.Duration) {
	t.Helper()
	l.calls, l.attempts = l.calls+1, l.attempts+attempts
	l.highest += float64(vain) - l.budget.Ratio*float64(successes) - l.budget.MinPerSecond*elapsed.Seconds()
	l.lowest = min(l.lowest, l.highest)
	if over := l.highest - l.lowest; over > l.budget.Max+1e-6 {
		t.Fatalf("after %d calls a window holds %v attempts in vain beyond what was earned, want at most %v", l.calls, over, l.budget.Max)
	}
}

func (l *ledger) share() float64 { return float64(l.attempts) / float64(l.calls) }

// Retries that fail are at most a tenth of the successes, whatever share of attempts fails. Those that succeed are
// calls served. The most attempts for each call are made where about 28 % fail at random, as the documentation states.
func TestRetriesInVainAreATenthOfTheSuccesses(t *testing.T) {
	most := 0.0
	for percent := 0; percent <= 100; percent += 4 {
		t.Run(fmt.Sprintf("%d%% fail", percent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book := ledger{budget: retry.DefaultBudget()}
				r := newRetrier(t, readMethod, terms{initial: ms, limit: ms})
				random := rand.New(rand.NewPCG(uint64(percent), 1))
				made := 0
				invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
					if made++; random.IntN(100) < percent {
						return status.Error(codes.Unavailable, "scripted")
					}
					return nil
				}
				for range rounds.Of(1000) {
					before, start := made, time.Now()
					err := r.UnaryClientInterceptor(t.Context(), readMethod, nil, nil, nil, invoke)
					n := made - before
					if err == nil {
						book.add(t, n, max(n-2, 0), 1, time.Since(start))
					} else {
						book.add(t, n, n-1, 0, time.Since(start))
					}
				}
				most = max(most, book.share())
				if percent >= 60 && book.share() > 1.1 {
					t.Errorf("%v attempts for each call, want at most 1.1 of a service that mostly fails", book.share())
				}
				t.Logf("%.3f attempts for each call", book.share())
			})
		})
	}
	if most > 1.35 {
		t.Errorf("up to %.3f attempts for each call, want at most 1.35", most)
	}
}

// Of two attempts beside each other one is in vain, so hedges are never given back: they are at most a tenth of the
// successes, whatever share of calls stalls.
func TestHedgesAreATenthOfTheSuccesses(t *testing.T) {
	for percent := 0; percent <= 100; percent += 10 {
		t.Run(fmt.Sprintf("%d%% stall", percent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book := ledger{budget: retry.DefaultBudget()}
				r := newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 10 * ms})
				random := rand.New(rand.NewPCG(uint64(percent), 2))
				var mu sync.Mutex
				made := 0
				invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
					md, _ := metadata.FromOutgoingContext(ctx)
					takes := 5 * ms
					mu.Lock()
					made++
					if len(md["grpc-previous-rpc-attempts"]) == 0 && random.IntN(100) < percent {
						takes = 50 * ms
					}
					mu.Unlock()
					return sleep(ctx, takes)
				}
				const calls = 3000
				began := time.Now()
				for range calls {
					before, start := made, time.Now()
					reply := new(wrapperspb.StringValue)
					if err := r.UnaryClientInterceptor(t.Context(), readMethod, reply, reply, nil, invoke); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					book.add(t, made-before, made-before-1, 1, time.Since(start))
				}
				earned := 0.1 + (book.budget.Max+book.budget.MinPerSecond*time.Since(began).Seconds())/calls
				if book.share() > 1+earned {
					t.Errorf("%v attempts for each call, want at most %v", book.share(), 1+earned)
				}
				t.Logf("%.3f attempts for each call", book.share())
			})
		})
	}
}
