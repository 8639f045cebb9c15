package waterfall

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	attributeSize = int(unsafe.Sizeof(attribute.KeyValue{}))
	eventSize     = int(unsafe.Sizeof(sdktrace.Event{}))
)

// estate is the data that a ring keeps of an ended span.
type estate struct {
	attrs      []attribute.KeyValue
	attrsSize  int
	events     []sdktrace.Event
	eventsSize int
	message    string
	left       int
}

// estateOf collects the attributes and events of an ended span. It usually keeps the slices, because they do not change
// any more, and copies them only if a value is long. It runs outside of the lock of the ring.
func estateOf(s sdktrace.ReadOnlySpan, messages bool) estate {
	var e estate
	if messages {
		e.message = clip(s.Status().Description)
	}
	e.attrs, e.attrsSize = shortAttributes(s.Attributes())
	e.events = s.Events()
	if len(e.events) > maxEvents {
		e.left, e.events = len(e.events)-maxEvents, e.events[:maxEvents]
	}
	e.events, e.eventsSize = shortEvents(e.events)
	return e
}

// fit drops attributes and events for which there is no room. The attributes for the drawing are always kept.
func (e *estate) fit(room *int) {
	if e.attrsSize > *room {
		kept := make([]attribute.KeyValue, 0, len(e.attrs))
		space := *room
		for i := range e.attrs {
			if size := sizeOf(e.attrs[i : i+1]); drawn(e.attrs[i].Key) || size <= space {
				space -= size
				kept = append(kept, e.attrs[i])
			}
		}
		e.left += len(e.attrs) - len(kept)
		e.attrs, e.attrsSize = kept, sizeOf(kept)
	}
	*room -= e.attrsSize
	if e.eventsSize > *room {
		e.left += len(e.events)
		e.events, e.eventsSize = nil, 0
	}
	*room -= e.eventsSize
	if len(e.message) > *room {
		e.left++
		e.message = ""
	}
	*room -= len(e.message)
}

func shortAttributes(attrs []attribute.KeyValue) (short []attribute.KeyValue, size int) {
	for i := range attrs {
		if !isShort(attrs[i]) {
			short = make([]attribute.KeyValue, len(attrs))
			for i, kv := range attrs {
				short[i] = shorten(kv)
			}
			return short, sizeOf(short)
		}
	}
	return attrs, sizeOf(attrs)
}

func shortEvents(events []sdktrace.Event) (short []sdktrace.Event, size int) {
	if len(events) == 0 {
		return nil, 0
	}
	short = make([]sdktrace.Event, len(events))
	for i := range events {
		attrs, n := shortAttributes(events[i].Attributes)
		short[i] = sdktrace.Event{Name: clip(events[i].Name), Time: events[i].Time, Attributes: attrs}
		size += n + eventSize + len(short[i].Name)
	}
	return short, size
}

func isShort(kv attribute.KeyValue) bool {
	if len(kv.Key) > maxValueBytes {
		return false
	}
	switch kv.Value.Type() {
	case attribute.STRING:
		return len(kv.Value.AsString()) <= maxValueBytes
	case attribute.BOOL, attribute.INT64, attribute.FLOAT64, attribute.EMPTY:
		return true
	default:
		return false // lists and maps are kept as text
	}
}

func shorten(kv attribute.KeyValue) attribute.KeyValue {
	if isShort(kv) {
		return kv
	}
	return attribute.String(clip(string(kv.Key)), clip(kv.Value.String()))
}

func sizeOf(attrs []attribute.KeyValue) int {
	size := len(attrs) * attributeSize
	for i := range attrs {
		size += len(attrs[i].Key)
		if attrs[i].Value.Type() == attribute.STRING {
			size += len(attrs[i].Value.AsString())
		}
	}
	return size
}

// clip cuts a long text and frees its memory.
func clip(text string) string {
	if len(text) <= maxValueBytes {
		return text
	}
	cut := maxValueBytes - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.Join([]string{text[:cut], "…"}, "")
}
