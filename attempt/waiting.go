package attempt

import (
	"context"
	"sync"
	"time"
)

// Waiting holds the attempts that wait for one endpoint and are to be ended when that endpoint is silent: it is
// connected, but has stopped to send anything. A balancing policy has one for each endpoint and states it in the
// [Choice]. The zero value is empty. Its methods may be called from any goroutine.
type Waiting struct {
	mu    sync.Mutex
	first *Attempt
}

// End ends each attempt whose maker allows that at now, see [Attempt.EndOnSilence], and returns how many. The balancing
// policy calls it when the endpoint is silent and another one is not.
func (w *Waiting) End(now time.Time) (ended int) {
	var ends []context.CancelFunc
	w.mu.Lock()
	for a := w.first; a != nil; a = a.next {
		if a.end != nil && now.Before(a.endBy) {
			a.silenced = true
			ends, a.end = append(ends, a.end), nil
		}
	}
	w.mu.Unlock()
	for _, end := range ends {
		end()
	}
	return len(ends)
}

// EndOnSilence asks for a call of end, at most one and before the moment by, when the endpoint of the attempt is silent
// while another one is not: the maker of the attempt would then make another attempt. End runs on the goroutine that
// found the silence and must be fast. EndOnSilence must be called before the attempt is on the wire, and [Attempt.Left]
// when the attempt has ended or is abandoned. It does nothing for a nil Attempt.
func (a *Attempt) EndOnSilence(by time.Time, end context.CancelFunc) {
	if a != nil {
		a.end, a.endBy, a.listens = end, by, true
	}
}

// Left takes the attempt out of those that wait for its endpoint, and reports whether it was ended because the endpoint
// was silent. It may be called on any goroutine, any number of times.
func (a *Attempt) Left() (silenced bool) {
	if a == nil || !a.listens {
		return false
	}
	a.left.Store(true)
	w := a.waiting.Load()
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(a)
	return a.silenced
}

// join puts the attempt among those that wait for an endpoint. An attempt that gRPC sends again, because the first
// connection did not take it, waits for the second endpoint alone.
func (a *Attempt) join(w *Waiting) {
	if former := a.waiting.Swap(w); former != nil {
		former.mu.Lock()
		former.remove(a)
		former.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.left.Load() {
		return
	}
	a.in, a.next = true, w.first
	if w.first != nil {
		w.first.previous = a
	}
	w.first = a
}

// remove takes an attempt out, if it is in. The caller holds the lock.
func (w *Waiting) remove(a *Attempt) {
	if !a.in {
		return
	}
	if a.next != nil {
		a.next.previous = a.previous
	}
	if a.previous != nil {
		a.previous.next = a.next
	} else {
		w.first = a.next
	}
	a.in, a.next, a.previous = false, nil, nil
}
