package retry_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// keysSeen records the key of each attempt.
func keysSeen(keys *[]string, h handler) handler {
	return func(ctx context.Context, n int) error {
		*keys = append(*keys, strings.Join(metadata.ValueFromIncomingContext(ctx, retry.IdempotencyKeyHeader), ","))
		return h(ctx, n)
	}
}

// A method that must not be repeated is repeated with a key, which stays the same, if its server deduplicates.
func TestKeyedMethods(t *testing.T) {
	for _, tt := range []struct {
		name     string
		keyed    []string
		key      string
		attempts int
		reason   retry.StopReason
	}{
		{name: "nothing stated", attempts: 1, reason: retry.StopNotIdempotent},
		{name: "a key alone", key: "order-42", attempts: 1, reason: retry.StopNotIdempotent},
		{name: "the method", keyed: []string{actMethod}, attempts: 3, reason: retry.StopAttemptsExhausted},
		{name: "the method, and the caller's key", keyed: []string{actMethod}, key: "order-42", attempts: 3, reason: retry.StopAttemptsExhausted},
		{name: "the service", keyed: []string{"/lab.v1.Lab/*"}, attempts: 3, reason: retry.StopAttemptsExhausted},
		{name: "another method", keyed: []string{writeMethod}, attempts: 1, reason: retry.StopNotIdempotent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var keys []string
				l := newLab(t, keysSeen(&keys, always(codes.Unavailable)))
				ctx := t.Context()
				if tt.key != "" {
					ctx = retry.WithIdempotencyKey(ctx, tt.key)
				}
				_, err := call(ctx, l.dial(t, newRetrier(t, actMethod, terms{}, retry.WithKeyedMethods(tt.keyed...))), actMethod)
				stopped(t, err, codes.Unavailable, tt.reason, tt.attempts)
				first := keys[0]
				if len(slices.Compact(keys)) != 1 || tt.key != "" && first != tt.key || tt.attempts > 1 && first == "" {
					t.Errorf("the attempts carried %q, want the same key in each", keys)
				}
			})
		})
	}
}

func TestEachCallHasItsOwnRandomKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		l := newLab(t, keysSeen(&keys, failing(0, codes.OK)))
		cc := l.dial(t, newRetrier(t, actMethod, terms{}, retry.WithKeyedMethods(actMethod)))
		for range 2 {
			if _, err := call(t.Context(), cc, actMethod); err != nil {
				t.Fatal(err)
			}
		}
		if len(keys) != 2 || keys[0] == keys[1] || len(keys[0]) < 26 {
			t.Errorf("the calls carried %q, want two random keys", keys)
		}
	})
}

func TestUnusableKeyIsNotSent(t *testing.T) {
	r := newRetrier(t, actMethod, terms{})
	for _, key := range []string{"", "a b", "ü", strings.Repeat("x", 256)} {
		err := r.UnaryClientInterceptor(retry.WithIdempotencyKey(t.Context(), key), actMethod, nil, nil, nil, nil)
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("the key %q: %v, want INVALID_ARGUMENT", key, err)
		}
	}
}

func TestKeyedMethodsThatAreNone(t *testing.T) {
	o := retry.WithKeyedMethods("Charge", watchMethod)
	r := retry.New(o)
	defer r.Close()
	for _, want := range []string{`"Charge" is not a method`, watchMethod + " is a stream"} {
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %s: %v", want, err)
		}
	}
	if want := "retry.WithKeyedMethods(Charge, " + watchMethod + ")"; o.String() != want {
		t.Errorf("the option prints %q, want %q", o, want)
	}
}
