package retry_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/rpcerr"
)

// tokens is the interceptor that owns a credential: each attempt takes the newest token, and a refused one is
// replaced, once for each call.
type tokens struct {
	mu        sync.Mutex
	number    int
	refreshed int
}

func (s *tokens) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	s.mu.Lock()
	token := string(rune('a' + s.number))
	s.mu.Unlock()
	err := invoker(metadata.AppendToOutgoingContext(ctx, "token", token), method, req, reply, cc, opts...)
	if this := attempt.FromContext(ctx); status.Code(err) == codes.Unauthenticated && this.Renewable() {
		s.mu.Lock()
		s.number++
		s.refreshed++
		s.mu.Unlock()
		this.Renew()
	}
	return err
}

func TestScenario37CredentialIsRenewedOnce(t *testing.T) {
	refuse := status.Error(codes.Unauthenticated, "the token has expired")
	unprocessed := func(ctx context.Context) error {
		if err := rpcerr.SetUnprocessed(ctx); err != nil {
			return err
		}
		return refuse
	}
	for _, tt := range []struct {
		name      string
		method    string
		answer    func(ctx context.Context, n int) error
		saw       []string
		refreshed int
		code      codes.Code
		reason    retry.StopReason
	}{
		{
			name: "refused, then taken", method: readMethod,
			answer: func(ctx context.Context, n int) error { return failing(1, codes.Unauthenticated)(ctx, n) },
			saw:    []string{"a", "b"}, refreshed: 1,
		},
		{
			name: "refused twice", method: readMethod,
			answer: func(context.Context, int) error { return refuse },
			saw:    []string{"a", "b"}, refreshed: 1, code: codes.Unauthenticated, reason: retry.StopNotRetryable,
		},
		{
			name: "a method that must not be repeated, refused before it ran", method: actMethod,
			answer: func(ctx context.Context, n int) error {
				if n == 1 {
					return unprocessed(ctx)
				}
				return nil
			},
			saw: []string{"a", "b"}, refreshed: 1,
		},
		{
			name: "a method that must not be repeated, refused at a time that is not known", method: actMethod,
			answer: func(context.Context, int) error { return refuse },
			saw:    []string{"a"}, refreshed: 1, code: codes.Unauthenticated, reason: retry.StopNotIdempotent,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var saw []string
				l := newLab(t, func(ctx context.Context, n int) error {
					saw = append(saw, metadata.ValueFromIncomingContext(ctx, "token")...)
					return tt.answer(ctx, n)
				})
				source := new(tokens)
				r := newRetrier(t, tt.method, terms{})
				cc := l.dial(t, r, grpc.WithChainUnaryInterceptor(source.intercept))
				start := time.Now()
				_, err := call(t.Context(), cc, tt.method)
				if tt.code == codes.OK && err != nil {
					t.Fatal(err)
				}
				if tt.code != codes.OK {
					stopped(t, err, tt.code, tt.reason, len(tt.saw))
				}
				took(t, start, 0) // nothing has to recover
				if !slices.Equal(saw, tt.saw) || source.refreshed != tt.refreshed {
					t.Errorf("the server saw the tokens %v after %d refreshes, want %v after %d", saw, source.refreshed, tt.saw, tt.refreshed)
				}
			})
		})
	}
}

// An owner of credentials who says nothing changes nothing.
func TestUnauthenticatedWithoutANewCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unauthenticated))
		_, err := call(t.Context(), l.dial(t, newRetrier(t, readMethod, terms{})), readMethod)
		stopped(t, err, codes.Unauthenticated, retry.StopNotRetryable, 1)
	})
}

// A credential ends for many calls at once, which is no sign of load: what follows a renewal costs nothing of the
// budget, and is made where retries are switched off.
func TestARenewalCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(ctx context.Context, _ int) error {
			if slices.Equal(metadata.ValueFromIncomingContext(ctx, "token"), []string{"a"}) {
				time.Sleep(10 * ms)
				return status.Error(codes.Unauthenticated, "the token has expired")
			}
			return nil
		})
		r := newRetrier(t, readMethod, terms{}, retry.WithBudget(retry.Budget{Ratio: 0.1, Max: 1}))
		r.SetRetries(false)
		cc := l.dial(t, r, grpc.WithChainUnaryInterceptor(new(tokens).intercept))
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := call(t.Context(), cc, readMethod); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if spent, refused := r.BudgetUse(); spent != 0 || refused != 0 {
			t.Errorf("the renewals cost %d attempts, and %d were refused", spent, refused)
		}
	})
}

// An attempt is renewable only where another one would follow the renewal.
func TestWhichAttemptsAreRenewable(t *testing.T) {
	for name, tt := range map[string]struct {
		terms terms
		want  []bool
	}{
		"two of three":   {terms{attempts: 3}, []bool{true, true, false}},
		"the only one":   {terms{attempts: 1}, []bool{false}},
		"none in a race": {terms{attempts: 2, hedges: 1, hedgeDelay: time.Second}, []bool{false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, always(codes.Unavailable))
				var got []bool
				cc := l.dial(t, newRetrier(t, readMethod, tt.terms), grpc.WithChainUnaryInterceptor(
					func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
						got = append(got, attempt.FromContext(ctx).Renewable())
						return invoker(ctx, method, req, reply, cc, opts...)
					}))
				_, _ = call(t.Context(), cc, readMethod)
				if !slices.Equal(got, tt.want) {
					t.Errorf("renewable: %v, want %v", got, tt.want)
				}
			})
		})
	}
}
