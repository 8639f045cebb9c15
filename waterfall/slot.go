package waterfall

import (
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// slot has one call with all spans below it. Its first span is the call itself.
type slot struct {
	traceID trace.TraceID
	begun   uint64 // the number of the call in the ring; 0 if the slot was never used
	changed uint64 // the number of its last change
	room    int    // bytes left for attributes and events
	spans   []span
	passed  []trace.SpanID
}

func (s *slot) begin(id trace.TraceID, number uint64) {
	clear(s.spans)
	spans, passed := s.spans[:0], s.passed[:0]
	if cap(spans) > keptSpans {
		spans = nil
	}
	if cap(passed) > keptSpans {
		passed = nil
	}
	*s = slot{traceID: id, begun: number, room: maxCallBytes, spans: spans, passed: passed}
}

func (s *slot) full() bool { return len(s.spans) == maxSpans }

func (s *slot) open() bool { return len(s.spans) > 0 && s.spans[0].live != nil }

// role is the role of a span in a call.
type role uint8

const (
	roleOther role = iota
	roleCall
	roleAttempt
	roleServer
)

func roleOf(name string, kind trace.SpanKind) role {
	switch kind {
	case trace.SpanKindClient:
		if rest, ok := strings.CutPrefix(name, vocabulary.AttemptPrefix); ok && isMethod(rest) {
			return roleAttempt
		}
		if isMethod(name) {
			return roleCall
		}
	case trace.SpanKindServer:
		if isMethod(name) {
			return roleServer
		}
	default:
	}
	return roleOther
}

// isMethod reports whether the name is the name of an RPC, "pkg.Service/Method", unlike "GET /orders" or "SELECT".
func isMethod(name string) bool {
	slash := strings.IndexByte(name, '/')
	if slash < 0 {
		return name == vocabulary.SystemGRPC
	}
	return slash > 0 && slash < len(name)-1 && strings.LastIndexByte(name, '/') == slash &&
		strings.IndexByte(name, ' ') < 0
}

const noOwner = -1

// span is one span of a call.
type span struct {
	id     trace.SpanID
	owner  int32 // the nearest span above it that is part of the drawing, or noOwner
	role   role
	failed bool
	left   int // the number of dropped attributes and events
	// message is that of its status, if the ring keeps messages
	message string
	name    string
	start   time.Time
	length  time.Duration
	// allowed is how much time its context gave it; 0: no limit is known
	allowed time.Duration
	attrs   []attribute.KeyValue
	events  []sdktrace.Event
	live    sdktrace.ReadOnlySpan // nil once it has ended
}

func (s *span) end(done sdktrace.ReadOnlySpan, e estate, room *int) {
	e.fit(room)
	s.live = nil
	s.length = max(0, done.EndTime().Sub(s.start))
	s.failed = done.Status().Code == codes.Error
	s.attrs, s.events, s.left, s.message = e.attrs, e.events, e.left, e.message
}
