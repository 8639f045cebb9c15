// Package waterfall keeps the recent calls of a process in memory and draws them: each call with its attempts, the
// waits between them, the deadline, and the stop reason.
//
// A [Ring] is a span processor. It needs no collector and no exporter:
//
//	ring := waterfall.NewRing(1000)
//	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ring))
//
// [Ring.Calls] returns the kept calls, [Ring.Watch] follows them, and [Text] draws one call for a terminal or a test
// log.
//
// A ring understands the spans of Parley's tracing: one CLIENT span per call, one CLIENT span per attempt below it, one
// SERVER span below its attempt. Spans of other gRPC instrumentation with the same names appear as calls whose attempts
// are not known.
package waterfall

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Ring keeps the newest calls of a process, including open ones. It is a span processor: register it with a tracer
// provider. Its memory is limited by the number of calls, the spans of each call, and the bytes of their attributes. If
// it is full, a new call replaces the oldest one. Open calls are not replaced while they fill at most half of the ring,
// so that a long stream stays visible.
//
// All methods may be called from any goroutine. OnStart and OnEnd hold a lock for a fraction of a microsecond. Readers
// hold it for one call at a time, so a span never waits for a reader.
type Ring struct {
	mu       sync.Mutex
	slots    []slot
	next     int
	open     int
	begun    uint64
	changes  uint64
	dropped  uint64
	index    map[trace.SpanID]place
	watchers []chan struct{}
	shut     bool
	messages bool // never changes
}

// place is the place of a span: its slot, and its index in the slot.
type place struct{ slot, span int32 }

var _ sdktrace.SpanProcessor = (*Ring)(nil)

// Option configures a [Ring]. Its String method returns the Go expression that made it.
type Option interface {
	fmt.Stringer
	apply(*Ring)
}

type option struct {
	text string
	set  func(*Ring)
}

func (o option) String() string { return o.text }
func (o option) apply(r *Ring)  { o.set(r) }

// WithMessages keeps the status messages of failed calls and attempts. Handlers and peers write them, and they may
// contain input of users, so use it only in development. By default messages are not kept.
func WithMessages() Option {
	return option{"waterfall.WithMessages()", func(r *Ring) { r.messages = true }}
}

// NewRing returns a ring that keeps up to size calls, or [DefaultCalls] if size is not positive.
func NewRing(size int, opts ...Option) *Ring {
	if size <= 0 {
		size = DefaultCalls
	}
	r := &Ring{slots: make([]slot, size), index: make(map[trace.SpanID]place)}
	for _, opt := range opts {
		opt.apply(r)
	}
	return r
}

// Size returns the maximum number of calls that the ring keeps.
func (r *Ring) Size() int { return len(r.slots) }

// Dropped returns the number of spans that the ring has dropped, because their call had too many spans or was already
// replaced.
func (r *Ring) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// OnStart starts a call, or adds a span to one. The tracer provider calls it.
func (r *Ring) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	name, id, parent, start := s.Name(), s.SpanContext(), s.Parent().SpanID(), s.StartTime()
	sp := span{id: id.SpanID(), owner: noOwner, role: roleOf(name, s.SpanKind()), name: clip(name), start: start, live: s}
	// the deadline of an attempt may be its per-attempt timeout
	if end, ok := ctx.Deadline(); ok && sp.role != roleAttempt {
		sp.allowed = max(0, end.Sub(start))
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return
	}
	at, known := r.index[parent]
	if known {
		known = r.slots[at.slot].traceID == id.TraceID()
	}
	if sp.role == roleOther {
		if known {
			r.pass(sp.id, at)
		}
		return
	}
	if known && !r.slots[at.slot].full() {
		sp.owner = at.span
	} else {
		known = false
	}
	if sp.role == roleAttempt && (!known || r.slots[at.slot].spans[at.span].role != roleCall) {
		r.dropped++ // its call was replaced, or has too many attempts
		return
	}
	if !known {
		at.slot = r.claim()
		r.begun++
		r.open++
		r.slots[at.slot].begin(id.TraceID(), r.begun)
	}
	s2 := &r.slots[at.slot]
	r.index[sp.id] = place{at.slot, int32(len(s2.spans))} //nolint:gosec // at most maxSpans
	s2.spans = append(s2.spans, sp)
	r.touch(s2)
}

// OnEnd completes a span of a call. The tracer provider calls it.
func (r *Ring) OnEnd(s sdktrace.ReadOnlySpan) {
	if roleOf(s.Name(), s.SpanKind()) == roleOther {
		return
	}
	id, left := s.SpanContext(), estateOf(s, r.messages)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return
	}
	at, known := r.index[id.SpanID()]
	if !known {
		return
	}
	sl := &r.slots[at.slot]
	sp := &sl.spans[at.span]
	if sp.id != id.SpanID() || sl.traceID != id.TraceID() || sp.live == nil {
		return
	}
	sp.end(s, left, &sl.room)
	if at.span == 0 {
		r.open--
	}
	r.touch(sl)
}

// Shutdown makes the ring ignore further spans and ends every Watch. The kept calls can still be read. It returns nil.
func (r *Ring) Shutdown(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = true
	for _, wake := range r.watchers {
		close(wake)
	}
	r.watchers = nil
	return nil
}

// ForceFlush does nothing: a span is visible as soon as it starts. It returns nil.
func (r *Ring) ForceFlush(context.Context) error { return nil }

// pass assigns the spans below a span that is not drawn to the call above it.
func (r *Ring) pass(id trace.SpanID, at place) {
	sl := &r.slots[at.slot]
	if len(sl.passed) == maxSpans {
		return
	}
	sl.passed = append(sl.passed, id)
	r.index[id] = at
}

// claim frees the slot for a new call.
func (r *Ring) claim() int32 {
	for r.slots[r.next].open() && r.open <= len(r.slots)/2 {
		r.advance()
	}
	claimed := r.next
	r.advance()
	sl := &r.slots[claimed]
	if sl.open() {
		r.open--
	}
	for i := range sl.spans {
		delete(r.index, sl.spans[i].id)
	}
	for _, id := range sl.passed {
		delete(r.index, id)
	}
	return int32(claimed) //nolint:gosec // an index into slots
}

func (r *Ring) advance() {
	if r.next++; r.next == len(r.slots) {
		r.next = 0
	}
}

// touch marks the slot as changed and wakes the watchers.
func (r *Ring) touch(sl *slot) {
	r.changes++
	sl.changed = r.changes
	for _, wake := range r.watchers {
		select {
		case wake <- struct{}{}:
		default: // the watcher is awake already
		}
	}
}
