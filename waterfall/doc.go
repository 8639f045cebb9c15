// Package waterfall keeps the recent calls of a process in memory and draws them: each call with its attempts, the
// waits between them, the deadline, and why there was no further attempt.
//
// A [Ring] is a span processor. It needs no collector and no exporter:
//
//	ring := waterfall.NewRing(1000)
//	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
//
// [Ring.Calls] reads what it kept, [Ring.Watch] follows it, and [Text] draws one call for a terminal or a test log.
//
// A ring understands the spans of Parley's tracing: one CLIENT span per call, one CLIENT span per attempt below it, one
// SERVER span below its attempt. Spans of other gRPC instrumentation with the same names appear as calls whose attempts
// are not known.
package waterfall
