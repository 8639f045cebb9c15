package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-rpc/parley/telemetry"
)

// stubborn is a span processor that takes its time to stop.
type stubborn struct {
	needs   time.Duration
	err     error
	stopped bool
}

func (*stubborn) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (*stubborn) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (*stubborn) ForceFlush(context.Context) error                { return nil }
func (s *stubborn) Shutdown(context.Context) error {
	time.Sleep(s.needs)
	s.stopped = true
	return s.err
}

// TestShutdown says how long Shutdown waits and what it returns.
func TestShutdown(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, test := range []struct {
		name      string
		processor stubborn
		patience  time.Duration
		took      time.Duration
		want      string
	}{
		{"in time", stubborn{needs: time.Second}, time.Minute, time.Second, ""},
		{
			"in time, with an error",
			stubborn{needs: time.Second, err: broken},
			time.Minute, time.Second,
			"telemetry: stopping traces: the disk is full",
		},
		{
			"too late",
			stubborn{needs: time.Hour},
			time.Minute, time.Minute,
			"telemetry: traces did not stop in time: context deadline exceeded",
		},
		{
			"no time at all",
			stubborn{needs: time.Hour},
			0, 0,
			"telemetry: traces did not stop in time: context deadline exceeded",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				processor := test.processor
				tel, err := telemetry.New(t.Context(), "orders", telemetry.WithEnviron(nil),
					telemetry.WithSpanProcessor(&processor))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				began := time.Now()
				err = tel.Shutdown(ctx)
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				// Metrics have nothing to send, and may or may not have stopped when there is no time at all.
				if first, _, _ := strings.Cut(text(err), "\n"); first != test.want {
					t.Errorf("%v, want %s", err, test.want)
				}
				if again := tel.Shutdown(t.Context()); text(again) != text(err) {
					t.Errorf("a second Shutdown returned %v", again)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if !processor.stopped {
					t.Error("the processor was forgotten")
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
