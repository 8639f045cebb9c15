package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
)

// reporter reports how sending a signal goes: to the log when that changes, and to Shutdown the last result.
type reporter struct {
	life   context.Context // sending ends with it
	signal signal
	logger *slog.Logger // nil: failures go to the SDK's own error handler

	mu     sync.Mutex
	failed error // of the last try
}

// send sends once, and takes note of how that went. It returns what the SDK is to know of it.
func (r *reporter) send(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := r.life.Err() // a sending that is cancelled while it begins would still connect
	if err == nil {
		err = send(ctx)
	}
	if err != nil {
		err = fmt.Errorf("sending %s to %s by OTLP %s: %w%s", r.signal.name, r.signal.shown, r.signal.protocol, err, r.hint())
	}
	r.mu.Lock()
	before := r.failed
	r.failed = err
	r.mu.Unlock()
	switch {
	case r.logger == nil:
		return err
	case err != nil && before == nil:
		r.logger.LogAttrs(ctx, slog.LevelWarn, "telemetry cannot be sent", slog.Any("error", err))
	case err == nil && before != nil:
		r.logger.LogAttrs(ctx, slog.LevelInfo, "telemetry is sent again", slog.String("signal", r.signal.name),
			slog.String("endpoint", r.signal.shown))
	}
	return nil
}

// hint names the likely mistake of a protocol spoken to the other one's port.
func (r *reporter) hint() string {
	u, err := url.Parse(r.signal.endpoint)
	switch {
	case err != nil:
		return ""
	case u.Port() == "4317" && r.signal.protocol != protocolGRPC:
		return "; port 4317 usually speaks grpc: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
	case u.Port() == "4318" && r.signal.protocol != protocolHTTP:
		return "; port 4318 usually speaks http/protobuf: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
	}
	return ""
}

// stop wraps the shutdown of a pipeline: what could not be sent at the end is an error of it.
func (r *reporter) stop(shutdown func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := shutdown(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if errors.Is(err, r.failed) {
			return err
		}
		return errors.Join(err, r.failed)
	}
}
