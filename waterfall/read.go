package waterfall

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Calls returns all calls that the ring keeps, newest first. A call that the handler of another call made is inside of
// that call.
func (r *Ring) Calls() []Call {
	calls, _ := r.changedSince(0)
	slices.Reverse(calls)
	return calls
}

// Call returns the first kept call of a trace. The ID is in hexadecimal.
func (r *Ring) Call(traceID string) (Call, bool) {
	calls := r.Trace(traceID)
	if len(calls) == 0 {
		return Call{}, false
	}
	return calls[0], true
}

// Trace returns the kept calls of a trace, oldest first. The ID is in hexadecimal.
func (r *Ring) Trace(traceID string) []Call {
	id, err := trace.TraceIDFromHex(traceID)
	if err != nil {
		return nil
	}
	return r.read(func(s *slot) bool { return s.traceID == id })
}

// changedSince returns the calls that changed after the change with this number, oldest first, and the number for the
// next call.
func (r *Ring) changedSince(change uint64) ([]Call, uint64) {
	r.mu.Lock()
	latest := r.changes
	r.mu.Unlock()
	return r.read(func(s *slot) bool { return s.changed > change }), latest
}

// read returns the calls of the slots for which wanted returns true, oldest first. It holds the lock for one slot at a
// time.
func (r *Ring) read(wanted func(*slot) bool) []Call {
	type numbered struct {
		begun uint64
		call  Call
	}
	var found []numbered
	var copied slot
	for i := range r.slots {
		if r.copySlot(i, wanted, &copied) {
			found = append(found, numbered{copied.begun, copied.call(0, time.Now())})
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.begun, b.begun) })
	calls := make([]Call, len(found))
	for i := range found {
		calls[i] = found[i].call
	}
	return calls
}

func (r *Ring) copySlot(i int, wanted func(*slot) bool, into *slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[i]
	if s.begun == 0 || !wanted(s) {
		return false
	}
	into.traceID, into.begun = s.traceID, s.begun
	into.spans = append(into.spans[:0], s.spans...)
	return true
}
