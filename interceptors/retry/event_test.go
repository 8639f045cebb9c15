package retry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// traced makes a call within a span, and returns the span's events and attributes as text.
func traced(ctx context.Context, run func(context.Context)) string {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, span := provider.Tracer("test").Start(ctx, "call")
	run(ctx)
	span.End()
	var text strings.Builder
	ended := recorder.Ended()[0]
	for _, e := range ended.Events() {
		fmt.Fprintln(&text, e.Name, plain(e.Attributes))
	}
	fmt.Fprintln(&text, plain(ended.Attributes()))
	return text.String()
}

func plain(attributes []attribute.KeyValue) string {
	parts := make([]string, 0, len(attributes))
	for _, a := range attributes {
		parts = append(parts, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(parts, " ")
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		terms  terms
		script handler
		budget retry.Budget
		want   []string
	}{
		{
			name: "clean", script: failing(0, codes.OK),
			want: []string{"parley.deadline=10 parley.attempts=1 parley.retry.outcome=none parley.retry.stop_reason=ok parley.retry.delay=0"},
		},
		{
			name: "recovered", script: failing(2, codes.Unavailable),
			want: []string{
				"retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=replica:1",
				"retry.scheduled next_attempt=3 backoff_s=0.05 cause=UNAVAILABLE source=policy endpoint=replica:1",
				"parley.deadline=10 parley.attempts=3 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0.075",
			},
		},
		{
			name: "attempts exhausted", script: always(codes.Unavailable), terms: terms{attempts: 2},
			want: []string{
				"retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=replica:1",
				"retry.exhausted reason=attempts_exhausted endpoint=replica:1",
				"parley.deadline=10 parley.attempts=2 parley.retry.outcome=attempts_exhausted parley.retry.stop_reason=attempts_exhausted parley.retry.delay=0.025",
			},
		},
		{
			name: "budget", script: always(codes.Unavailable), budget: retry.Budget{Max: 1},
			want: []string{
				"retry.scheduled next_attempt=2 backoff_s=0.025 cause=UNAVAILABLE source=policy endpoint=replica:1",
				"retry.exhausted reason=budget endpoint=replica:1",
				"parley.deadline=10 parley.attempts=2 parley.retry.outcome=budget parley.retry.stop_reason=budget parley.retry.delay=0.025",
			},
		},
		{
			name: "pushback", script: pushing(1, "30"),
			want: []string{
				"retry.pushback ms=30",
				"retry.scheduled next_attempt=2 backoff_s=0.0315 cause=UNAVAILABLE source=pushback endpoint=replica:1",
				"parley.deadline=10 parley.attempts=2 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0.0315",
			},
		},
		{
			name: "RetryInfo", script: detailed(1, codes.Unavailable, retryInfo(40*time.Millisecond)),
			want: []string{
				"retry.scheduled next_attempt=2 backoff_s=0.042 cause=UNAVAILABLE source=retry_info endpoint=replica:1",
				"parley.deadline=10 parley.attempts=2 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0.042",
			},
		},
		{
			name: "pushback forbids", script: pushing(9, "-1"),
			want: []string{
				"retry.pushback ms=-1",
				"retry.aborted reason=pushback endpoint=replica:1",
				"parley.deadline=10 parley.attempts=1 parley.retry.outcome=pushback parley.retry.stop_reason=pushback parley.retry.delay=0",
			},
		},
		{
			name: "deadline", script: always(codes.Unavailable), terms: terms{deadline: 20 * time.Millisecond},
			want: []string{
				"retry.aborted reason=deadline endpoint=replica:1",
				"parley.deadline=0.02 parley.attempts=1 parley.retry.outcome=deadline parley.retry.stop_reason=deadline parley.retry.delay=0",
			},
		},
		{
			name: "not retryable", script: always(codes.NotFound),
			want: []string{
				"retry.aborted reason=not_retryable endpoint=replica:1",
				"parley.deadline=10 parley.attempts=1 parley.retry.outcome=not_retryable parley.retry.stop_reason=not_retryable parley.retry.delay=0",
			},
		},
		{
			name: "not idempotent", method: actMethod, script: always(codes.Unavailable),
			want: []string{
				"retry.aborted reason=not_idempotent endpoint=replica:1",
				"parley.deadline=10 parley.attempts=1 parley.retry.outcome=not_idempotent parley.retry.stop_reason=not_idempotent parley.retry.delay=0",
			},
		},
		{
			name: "per-attempt timeout", terms: terms{perAttempt: 100 * time.Millisecond, attempts: 2},
			script: func(ctx context.Context, _ int) error { return sleep(ctx, 150*time.Millisecond) },
			want: []string{
				"retry.scheduled next_attempt=2 backoff_s=0.025 cause=per_try_timeout source=policy endpoint=replica:1",
				"parley.deadline=10 parley.attempts=2 parley.retry.outcome=recovered parley.retry.stop_reason=ok parley.retry.delay=0.025",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				method, budget := tt.method, tt.budget
				if method == "" {
					method = readMethod
				}
				if budget.Max == 0 {
					budget = retry.DefaultBudget()
				}
				l := newLab(t, tt.script)
				cc := l.dial(t, newRetrier(t, method, tt.terms, retry.WithBudget(budget)))
				got := traced(t.Context(), func(ctx context.Context) { _, _ = call(ctx, cc, method) })
				if want := strings.Join(tt.want, "\n") + "\n"; got != want {
					t.Errorf("the span shows\n%swant\n%s", got, want)
				}
			})
		})
	}
}

// A wait that the caller or the end of the Retrier cuts short shows for how long it lasted.
func TestEventsOfAWaitThatIsCutShort(t *testing.T) {
	for reason, word := range map[retry.StopReason]string{retry.StopCanceled: "canceled", retry.StopClosing: "closing"} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, always(codes.Unavailable))
			r := newRetrier(t, readMethod, terms{initial: time.Second})
			cc := l.dial(t, r)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(100*time.Millisecond, func() {
				if reason == retry.StopCanceled {
					cancel()
				} else {
					_ = r.Close()
				}
			})
			got := traced(ctx, func(ctx context.Context) { _, _ = call(ctx, cc, readMethod) })
			want := "retry.scheduled next_attempt=2 backoff_s=0.5 cause=UNAVAILABLE source=policy endpoint=replica:1\n" +
				"retry.aborted reason=" + word + " endpoint=replica:1\n" +
				"parley.deadline=10 parley.attempts=1 parley.retry.outcome=" + word + " parley.retry.stop_reason=" + string(reason) + " parley.retry.delay=0.1\n"
			if got != want {
				t.Errorf("the span shows\n%swant\n%s", got, want)
			}
		})
	}
}
