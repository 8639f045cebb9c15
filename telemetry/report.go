package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
)

// reporter reports the results of sending a signal: changes to the log, and the last result to Shutdown.
type reporter struct {
	life   context.Context // sending ends with it
	signal signal
	logger *slog.Logger // if nil, the SDK's error handler gets the failures

	mu     sync.Mutex
	failed error // the error of the last attempt
}

// send sends once and records the result. It returns the error for the SDK.
func (r *reporter) send(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	err := r.life.Err() // an exporter that is canceled at its start would still connect
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

// hint returns the likely remedy if the protocol does not match the port.
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

// stop wraps the shutdown of a pipeline, so that it returns an error if the last data could not be sent.
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
