package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/parley-rpc/parley/waterfall"
)

// hello is the first event of a live page.
type hello struct {
	Service  string    `json:"service"`
	Instance string    `json:"instance"`
	Started  time.Time `json:"started"`
	Size     int       `json:"size"` // the maximum number of kept calls
}

// streamCalls sends server-sent events: first "hello", then "calls" with the present calls, then "calls" with each
// batch of changed calls. Calls have the form of /calls, without attributes and events.
func (h *Handler) streamCalls(w http.ResponseWriter, r *http.Request) {
	defer h.streams.Add(-1)
	if h.streams.Add(1) > maxStreams {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many live pages are open.", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := h.untilEnd(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	s := eventStream{w, http.NewResponseController(w)}
	greeting := hello{Service: h.config.Service, Instance: h.instance, Started: h.started}
	if h.config.Ring == nil {
		if s.send("hello", greeting) == nil {
			<-ctx.Done()
		}
		return
	}
	greeting.Size = h.config.Ring.Size()
	if s.send("hello", greeting) != nil {
		return
	}
	for calls := range h.config.Ring.Watch(ctx) {
		for batch := range slices.Chunk(calls, streamBatch) {
			if s.send("calls", brief(batch)) != nil {
				return
			}
		}
		if pause(ctx, streamInterval) != nil {
			return
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s eventStream) send(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return s.control.Flush()
}

// brief removes the parts of calls that a list does not show.
func brief(calls []waterfall.Call) []waterfall.Call {
	for i := range calls {
		c := &calls[i]
		c.Attributes, c.Events = nil, nil
		for j := range c.Attempts {
			c.Attempts[j].Attributes = nil
			brief(c.Attempts[j].Calls)
		}
		brief(c.Calls)
	}
	return calls
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
