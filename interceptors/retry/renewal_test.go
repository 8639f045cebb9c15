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

// tokens is the interceptor of somebody who owns a credential: each attempt takes the newest token, and a refused one is
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
			name: "a method that must not be repeated, refused nobody knows when", method: actMethod,
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
