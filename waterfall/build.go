package waterfall

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

const (
	statusOK      = "OK"
	statusUnknown = "UNKNOWN"
)

// call builds the call whose span is the i-th of the slot.
func (s *slot) call(i int, now time.Time) Call {
	f := s.spans[i].facts(now)
	c := Call{
		TraceID: s.traceID.String(), SpanID: f.id.String(), Direction: Outgoing, Method: f.name,
		Start: f.start, Duration: f.length, Open: f.open, Status: f.status(), Message: f.message, LeftOut: f.left,
		Deadline: f.deadline(), AttemptCount: int(f.value(keyAttempts).AsInt64()),
		Outcome: f.value(keyRetryOutcome).AsString(), StopReason: f.value(keyStopReason).AsString(),
		Attributes: facts(f.attrs, true),
	}
	if f.role == roleServer {
		c.Direction, c.Peer, c.Number = Incoming, f.endpoint(), int(f.value(keyPreviousTry).AsInt64())+1
	}
	for j := i + 1; j < len(s.spans); j++ {
		switch {
		case int(s.spans[j].owner) != i:
		case s.spans[j].role == roleAttempt:
			c.Attempts = append(c.Attempts, s.attempt(j, c, now))
		default:
			c.Calls = append(c.Calls, s.call(j, now))
		}
	}
	slices.SortStableFunc(c.Attempts, func(a, b Attempt) int { return cmp.Compare(a.Number, b.Number) })
	c.AttemptCount = max(c.AttemptCount, len(c.Attempts))
	c.addEvents(f.events)
	c.conclude()
	return c
}

func (s *slot) attempt(i int, of Call, now time.Time) Attempt {
	f := s.spans[i].facts(now)
	a := Attempt{
		SpanID: f.id.String(), Number: len(of.Attempts) + 1, Hedge: f.value(keyHedge).AsBool(), Endpoint: f.endpoint(),
		Status: f.status(), Message: f.message, Offset: f.start.Sub(of.Start), Duration: f.length, Open: f.open,
		Attributes: facts(f.attrs, true),
	}
	if previous := f.value(keyPreviousTry); previous.Type() == attribute.INT64 {
		a.Number = int(previous.AsInt64()) + 1
	}
	for j := i + 1; j < len(s.spans); j++ {
		if int(s.spans[j].owner) == i {
			a.Calls = append(a.Calls, s.call(j, now))
		}
	}
	return a
}

func (c *Call) addEvents(events []sdktrace.Event) {
	for i := range events {
		e := &events[i]
		offset := e.Time.Sub(c.Start)
		if e.Name != vocabulary.EventScheduled {
			c.Events = append(c.Events, Event{Name: e.Name, Offset: offset, Attributes: facts(e.Attributes, false)})
			continue
		}
		w := Wait{
			Next: int(value(e.Attributes, keyNextAttempt).AsInt64()), Offset: offset,
			Backoff: seconds(value(e.Attributes, keyBackoff)),
			Cause:   value(e.Attributes, keyCause).AsString(), Source: value(e.Attributes, keySource).AsString(),
		}
		c.Waits = append(c.Waits, c.lasting(w))
	}
}

// lasting completes a wait with its real duration: until its attempt started, or else until the call ended.
func (c *Call) lasting(w Wait) Wait {
	for _, a := range c.Attempts {
		if a.Number == w.Next {
			w.Duration = max(0, a.Offset-w.Offset)
			return w
		}
	}
	rest := max(0, c.Duration-w.Offset)
	w.Duration, w.Open = min(w.Backoff, rest), c.Open && rest < w.Backoff
	return w
}

// conclude sets the fields that depend on other fields.
func (c *Call) conclude() {
	if c.Outcome == "" && c.Status == statusOK && c.Direction == Outgoing {
		c.Outcome = vocabulary.OutcomeNone
		if c.AttemptCount > 1 {
			c.Outcome = vocabulary.OutcomeRecovered
		}
	}
	if c.Failed() {
		c.Explanation = explain(c.StopReason, c.AttemptCount)
	}
}

// spanFacts are the data of a span, ended or not.
type spanFacts struct {
	span
	open bool
}

func (s *span) facts(now time.Time) spanFacts {
	f := spanFacts{span: *s}
	if s.live == nil {
		return f
	}
	f.attrs, f.events = s.live.Attributes(), s.live.Events()
	if end := s.live.EndTime(); !end.IsZero() {
		f.length, f.failed = max(0, end.Sub(s.start)), s.live.Status().Code == codes.Error
		return f
	}
	f.open, f.length = true, max(0, now.Sub(s.start))
	return f
}

func (f *spanFacts) value(key attribute.Key) attribute.Value { return value(f.attrs, key) }

func (f *spanFacts) status() string {
	if f.open {
		return ""
	}
	for _, key := range []attribute.Key{keyStatus, keyOlderStatus} {
		if status := f.value(key); status.Type() == attribute.STRING {
			return status.AsString()
		}
	}
	if f.failed {
		return statusUnknown
	}
	return statusOK
}

// deadline returns the deadline in the span's attributes. A policy may have made it shorter than that of the context.
func (f *spanFacts) deadline() time.Duration {
	if stated := seconds(f.value(keyDeadline)); stated > 0 {
		return stated
	}
	return f.allowed
}

func (f *spanFacts) endpoint() string {
	host, port := f.value(keyPeerAddress).AsString(), f.value(keyPeerPort).AsInt64()
	if host == "" || port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

func value(attrs []attribute.KeyValue, key attribute.Key) attribute.Value {
	for i := range attrs {
		if attrs[i].Key == key {
			return attrs[i].Value
		}
	}
	return attribute.Value{}
}

func seconds(v attribute.Value) time.Duration {
	switch v.Type() {
	case attribute.FLOAT64:
		return time.Duration(v.AsFloat64() * float64(time.Second))
	case attribute.INT64:
		return time.Duration(v.AsInt64()) * time.Second
	default:
		return 0
	}
}

// hidden replaces a value that may be a secret.
const hidden = "(hidden)"

func facts(attrs []attribute.KeyValue, skipDrawn bool) []Attribute {
	var list []Attribute
	for i := range attrs {
		if skipDrawn && drawn(attrs[i].Key) {
			continue
		}
		a := Attribute{Key: clip(string(attrs[i].Key)), Value: hidden}
		if !secret(a.Key) {
			a.Value = clip(attrs[i].Value.String())
		}
		list = append(list, a)
	}
	return list
}

// secret reports whether a value with this key may be a secret. Parley's own spans have no secrets; those of a program
// may.
func secret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{
		"metadata.", ".header.", "authorization", "cookie", "password", "secret", "token",
		"credential", "api_key", "apikey",
	} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
