package retry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/retry"
)

const nativeRetry = `{"methodConfig":[{"name":[{"service":"lab.v1.Lab"}],"retryPolicy":{
	"maxAttempts":3,"initialBackoff":"0.01s","maxBackoff":"0.01s","backoffMultiplier":1,"retryableStatusCodes":["UNAVAILABLE"]}}]}`

func TestScenario22NativeRetryIsNotMultiplied(t *testing.T) {
	for _, tt := range []struct {
		name     string
		options  []retry.Option
		chain    func(*retry.Retrier) []grpc.DialOption
		attempts int // of ours
		warning  string
	}{
		{
			name: "chained by hand",
			chain: func(r *retry.Retrier) []grpc.DialOption {
				return []grpc.DialOption{grpc.WithUnaryInterceptor(r.UnaryClientInterceptor)}
			},
			attempts: 1, warning: "Parley's retry is off",
		},
		{
			name:    "chained by hand, with native retry off",
			options: []retry.Option{retry.WithNativeRetryOff()},
			chain: func(r *retry.Retrier) []grpc.DialOption {
				return []grpc.DialOption{grpc.WithDisableRetry(), grpc.WithUnaryInterceptor(r.UnaryClientInterceptor)}
			},
			attempts: 3, warning: "which is ignored",
		},
		{name: "DialOptions", chain: (*retry.Retrier).DialOptions, attempts: 3, warning: "which is ignored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				l := newLab(t, always(codes.Unavailable))
				options := append(tt.options, retry.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				r := newRetrier(t, readMethod, terms{attempts: 3}, options...)
				cc := l.dialPlain(t, append(tt.chain(r), grpc.WithDefaultServiceConfig(nativeRetry))...)
				for range 2 {
					l.calls.Store(0)
					_, err := call(t.Context(), cc, readMethod)
					stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, tt.attempts)
					l.saw(t, 3)
				}
				if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), tt.warning) {
					t.Errorf("logged %q, want one warning with %q", log.String(), tt.warning)
				}
			})
		})
	}
}
