package retry_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// hop is the handler of a service that calls the next one, with the chain guard in its server.
func hop(next *grpc.ClientConn) handler {
	return func(ctx context.Context, _ int) error {
		_, err := retry.UnaryServerInterceptor(ctx, nil, nil, func(ctx context.Context, _ any) (any, error) {
			_, err := call(ctx, next, readMethod)
			if err != nil {
				return nil, fmt.Errorf("asking the next service: %w", err)
			}
			return nil, nil
		})
		return err
	}
}

func TestScenario23ThreeHops(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hedged bool
	}{{"retries", false}, {"retries and hedges", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := terms{attempts: 4, initial: ms}
				if tt.hedged {
					s.hedges, s.hedgeDelay = 1, 10*ms
				}
				d := newLab(t, steps(uncut, step{after: ms, code: codes.Unavailable}))
				c := newLab(t, hop(d.dial(t, newRetrier(t, readMethod, s))))
				b := newLab(t, hop(c.dial(t, newRetrier(t, readMethod, s))))
				var trailer metadata.MD
				_, err := call(t.Context(), b.dial(t, newRetrier(t, readMethod, s)), readMethod, grpc.Trailer(&trailer))
				stopped(t, err, codes.Unavailable, retry.StopPushback, 1)
				if got := trailer.Get("grpc-retry-pushback-ms"); len(got) != 1 || got[0] != "-1" {
					t.Errorf("the caller saw the pushback %v, want -1", got)
				}
				b.saw(t, 1)
				c.saw(t, 1)
				d.saw(t, 4)
			})
		})
	}
}

func TestScenario24NoRetryBelowARetriedCall(t *testing.T) {
	for _, tt := range []struct {
		name     string
		previous []string
		opts     []retry.Option
		attempts int
		reason   retry.StopReason
	}{
		{"a first attempt", nil, nil, 3, retry.StopAttemptsExhausted},
		{"a first attempt that says so", []string{"0"}, nil, 3, retry.StopAttemptsExhausted},
		{"a second attempt", []string{"1"}, nil, 1, retry.StopUpstreamRetrying},
		{"a number that cannot be read", []string{"many"}, nil, 1, retry.StopUpstreamRetrying},
		{"opted out for the method", []string{"1"}, []retry.Option{retry.WithoutChainGuard(readMethod)}, 3, retry.StopAttemptsExhausted},
		{"opted out for another one", []string{"1"}, []retry.Option{retry.WithoutChainGuard(writeMethod)}, 1, retry.StopUpstreamRetrying},
		{"opted out", []string{"1"}, []retry.Option{retry.WithoutChainGuard()}, 3, retry.StopAttemptsExhausted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := newLab(t, always(codes.Unavailable))
				r := newRetrier(t, readMethod, terms{attempts: 3}, tt.opts...)
				service := newLab(t, hop(below.dial(t, r)))
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{"grpc-previous-rpc-attempts": tt.previous})
				var trailer metadata.MD
				_, err := call(ctx, service.dialPlain(t), readMethod, grpc.Trailer(&trailer))
				if status.Code(err) != codes.Unavailable || len(trailer.Get("grpc-retry-pushback-ms")) != 1 {
					t.Errorf("the caller saw %v and %v, want UNAVAILABLE and a pushback", err, trailer)
				}
				below.saw(t, tt.attempts)
			})
		})
	}
}

func TestNoHedgeBelowARetriedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := newLab(t, steps(uncut, step{after: 100 * ms}))
		service := newLab(t, hop(below.dial(t, newRetrier(t, readMethod, terms{hedges: 1, hedgeDelay: 20 * ms}))))
		ctx := metadata.AppendToOutgoingContext(t.Context(), "grpc-previous-rpc-attempts", "1")
		if _, err := call(ctx, service.dialPlain(t), readMethod); err != nil {
			t.Fatal(err)
		}
		below.saw(t, 1)
	})
}

// chain is services that call one another, the last of which always fails. Each makes of the error of the next one what
// answer makes of it.
func chain(t *testing.T, hops int, streams bool, answer func(error) error) (first *grpc.ClientConn, last *lab) {
	t.Helper()
	last = newLab(t, always(codes.Unavailable))
	acts(last, fails(codes.Unavailable))
	method := readMethod
	if streams {
		method = watchMethod
	}
	opts := []retry.Option{retry.WithBudget(retry.Budget{Max: 1000})}
	cc := last.dial(t, newRetrier(t, method, terms{attempts: 4, initial: ms}, opts...))
	for range hops - 1 {
		next := cc
		service := newLab(t, func(ctx context.Context, _ int) error {
			_, err := retry.UnaryServerInterceptor(ctx, nil, nil, func(ctx context.Context, _ any) (any, error) {
				_, err := call(ctx, next, method)
				return nil, answer(err)
			})
			return err
		})
		service.watch = func(_ context.Context, stream grpc.ServerStream) error {
			return retry.StreamServerInterceptor(nil, stream, nil, func(_ any, stream grpc.ServerStream) error {
				_, err := drained(watched(stream.Context(), t, next))
				return answer(err)
			})
		}
		cc = service.dial(t, newRetrier(t, method, terms{attempts: 4, initial: ms}, opts...))
	}
	return cc, last
}

// The mark of a retry reaches every hop, whatever handlers make of errors.
func TestChainsOfUpToFiveHops(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(error) error
		most   func(hops int) int
	}{
		"returned": {func(err error) error { return err }, func(int) int { return 4 }},
		"wrapped":  {func(err error) error { return fmt.Errorf("asking the next service: %w", err) }, func(int) int { return 4 }},
		"made new": {
			func(err error) error { return status.Error(status.Code(err), "the next service failed") },
			func(hops int) int { return 1 + 3*hops },
		},
	} {
		for _, streams := range []bool{false, true} {
			for hops := 1; hops <= 5; hops++ {
				t.Run(fmt.Sprintf("%s, %d hops, streams %t", name, hops, streams), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						first, last := chain(t, hops, streams, tt.answer)
						var err error
						if streams {
							_, err = drained(watched(t.Context(), t, first))
						} else {
							_, err = call(t.Context(), first, readMethod)
						}
						if status.Code(err) != codes.Unavailable {
							t.Error(err)
						}
						last.saw(t, tt.most(hops))
					})
				})
			}
		}
	}
}

// Only what a caller above could multiply is given up for all.
func TestGiveUpSignal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script handler
		terms  terms
		opts   []retry.Option
		want   bool
	}{
		{name: "attempts exhausted", script: always(codes.Unavailable), want: true},
		{name: "one attempt was allowed", script: always(codes.Unavailable), terms: terms{attempts: 1}},
		{name: "pushback", script: pushing(9, "-1"), want: true},
		{name: "budget", script: always(codes.Unavailable), terms: terms{attempts: 9, initial: ms}, opts: []retry.Option{retry.WithBudget(retry.Budget{Max: 1})}, want: true},
		{name: "deadline", script: always(codes.Unavailable), terms: terms{deadline: time.Second, initial: time.Minute}, want: true},
		{name: "not retryable", script: always(codes.NotFound)},
		{name: "success", script: failing(0, codes.OK)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := newLab(t, tt.script)
				cc := below.dial(t, newRetrier(t, readMethod, tt.terms, tt.opts...))
				service := newLab(t, hop(cc))
				service.watch = func(_ context.Context, stream grpc.ServerStream) error {
					return retry.StreamServerInterceptor(nil, stream, nil, func(_ any, stream grpc.ServerStream) error {
						_, err := call(stream.Context(), cc, readMethod)
						return err
					})
				}
				var trailer metadata.MD
				plain := service.dialPlain(t)
				_, _ = call(t.Context(), plain, readMethod, grpc.Trailer(&trailer))
				stream, err := plain.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, watchMethod)
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					err = stream.RecvMsg(nil)
				}
				for kind, got := range map[string]bool{"unary": len(trailer.Get("grpc-retry-pushback-ms")) > 0, "stream": len(stream.Trailer().Get("grpc-retry-pushback-ms")) > 0} {
					if got != tt.want {
						t.Errorf("%s: the answer says give up: %v, want %v", kind, got, tt.want)
					}
				}
			})
		})
	}
}

// A stream whose request is a retry marks the context of its handler too.
func TestStreamBelowARetriedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := newLab(t, always(codes.Unavailable))
		cc := below.dial(t, newRetrier(t, readMethod, terms{attempts: 3}))
		service := newLab(t, nil)
		service.watch = func(_ context.Context, stream grpc.ServerStream) error {
			return retry.StreamServerInterceptor(nil, stream, nil, func(_ any, stream grpc.ServerStream) error {
				_, err := call(stream.Context(), cc, readMethod)
				return err
			})
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "grpc-previous-rpc-attempts", "2")
		stream, err := service.dialPlain(t).NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, watchMethod)
		for err == nil {
			err = stream.RecvMsg(nil)
		}
		below.saw(t, 1)
	})
}

func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, always(codes.Unavailable))
		r := newRetrier(t, readMethod, terms{attempts: 3})
		cc := l.dial(t, r)
		for _, on := range []bool{false, true} {
			l.calls.Store(0)
			r.SetRetries(on)
			_, err := call(t.Context(), cc, readMethod)
			if on {
				stopped(t, err, codes.Unavailable, retry.StopAttemptsExhausted, 3)
			} else {
				stopped(t, err, codes.Unavailable, retry.StopSwitchedOff, 1)
			}
			if r.Retries() != on {
				t.Errorf("Retries() = %v, want %v", r.Retries(), on)
			}
		}
	})
}
