package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/waterfall"
)

// events reads server-sent events.
type events struct{ lines *bufio.Scanner }

func newEvents(r io.Reader) events {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<22)
	return events{lines}
}

// next returns the next event, or ok == false at the end of the stream.
func (e events) next() (name, data string, ok bool) {
	for e.lines.Scan() {
		line := e.lines.Text()
		if line == "" {
			return name, data, true
		}
		if value, found := strings.CutPrefix(line, "event: "); found {
			name = value
		}
		if value, found := strings.CutPrefix(line, "data: "); found {
			data = value
		}
	}
	return "", "", false
}

func (e events) calls(t *testing.T) []waterfall.Call {
	t.Helper()
	name, data, ok := e.next()
	if !ok || name != "calls" {
		t.Fatalf("the next event is %q, %v; want calls", name, ok)
	}
	var calls []waterfall.Call
	if err := json.Unmarshal([]byte(data), &calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

func TestStreamFollowsTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(1000)
		for range 450 {
			end(r.start(t.Context(), charge), "OK", 1)
		}
		h := admin.New(admin.Config{Service: "orders", Ring: r.ring})
		client, _ := serve(t, h)
		reply := openStream(t, client)
		defer reply.Body.Close()
		want(t, "the content type", reply.Header.Get("Content-Type"), "text/event-stream")

		stream := newEvents(reply.Body)
		name, hello, _ := stream.next()
		want(t, "the first event", name, "hello")
		contains(t, "hello", hello, `"service":"orders"`, `"size":1000`, `"instance":"`)
		for _, size := range []int{200, 200, 50} {
			want(t, "a batch of what is there", len(stream.calls(t)), size)
		}

		began := time.Now()
		call := r.start(t.Context(), quote)
		calls := stream.calls(t)
		want(t, "the update", len(calls), 1)
		want(t, "open", calls[0].Open, true)
		want(t, "the time between two updates", time.Since(began), 200*time.Millisecond)
		want(t, "attributes", len(calls[0].Attributes), 0)
		end(call, "OK", 1)
		want(t, "the status", stream.calls(t)[0].Status, "OK")
	})
}

// A server that shuts down waits for its requests; a live page would keep it for ever.
func TestStreamEndsWithTheServer(t *testing.T) {
	for _, tc := range []struct {
		name string
		ring *waterfall.Ring
		stop func(*admin.Handler, *http.Server) error
	}{
		{"shutdown", waterfall.NewRing(1), func(_ *admin.Handler,
			s *http.Server,
		) error {
			return s.Shutdown(context.Background())
		}},
		{"close", waterfall.NewRing(1), func(h *admin.Handler, _ *http.Server) error { h.Close(); return nil }},
		{"shutdown without a ring", nil, func(_ *admin.Handler,
			s *http.Server,
		) error {
			return s.Shutdown(context.Background())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := admin.New(admin.Config{Ring: tc.ring})
				client, server := serve(t, h)
				reply := openStream(t, client)
				defer reply.Body.Close()
				stream := newEvents(reply.Body)
				stream.next()
				synctest.Wait()
				stopped := make(chan error, 1)
				go func() { stopped <- tc.stop(h, server) }()
				if name, _, ok := stream.next(); ok {
					t.Errorf("the stream goes on with %q", name)
				}
				if err := <-stopped; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestStreamEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(10)
		client, server := serve(t, admin.New(admin.Config{Ring: r.ring}))
		reply := openStream(t, client)
		_ = reply.Body.Close()
		synctest.Wait()
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamDropsAReaderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(1000)
		h := admin.New(admin.Config{Ring: r.ring})
		client, _ := serve(t, h)
		reply := openStream(t, client)
		defer reply.Body.Close()
		for range 1000 {
			end(r.start(t.Context(), quote), "OK", 1)
		}
		time.Sleep(time.Minute)
		if _, err := io.Copy(io.Discard, reply.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the stream ends with %v, want that it was cut", err)
		}
	})
}

func TestStreamsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := admin.New(admin.Config{Ring: waterfall.NewRing(1)})
		client, _ := serve(t, h)
		for range 16 {
			reply := openStream(t, client)
			defer reply.Body.Close()
			want(t, "the status", reply.StatusCode, 200)
		}
		reply := openStream(t, client)
		defer reply.Body.Close()
		want(t, "the status of the 17th", reply.StatusCode, 503)
		want(t, "when to come back", reply.Header.Get("Retry-After"), "5")
		h.Close()
		synctest.Wait()
		reply = openStream(t, client)
		defer reply.Body.Close()
		stream := newEvents(reply.Body)
		stream.next()
		_, _, ok := stream.next()
		want(t, "that a stream after Close goes on", ok, false)
	})
}
