package conn

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// goAwayReader makes a client drain a connection without breaking a call: its transport reads a GOAWAY between two
// frames of the server, lets the calls in flight end, and connects anew. The server need not know that the connection
// ends. A goAwayReader belongs to the reading goroutine, except for its atomic flags.
type goAwayReader struct {
	frames  frames
	pending []byte // of the GOAWAY, not read yet
	sent    bool   // the transport has a GOAWAY, of this end or of the server

	due    atomic.Bool
	opened atomic.Bool // the preface is complete, so the deadline of the handshake is no more
	woken  atomic.Bool // the deadline for reading was set by drain, and is in the past
}

// drain makes the transport read the GOAWAY, also while it waits for a quiet server.
func (f *goAwayReader) drain(from net.Conn) {
	f.due.Store(true)
	if f.opened.Load() {
		f.woken.Store(true)
		_ = from.SetReadDeadline(time.Unix(1, 0)) // without it the transport reads the GOAWAY with the next frame
	}
}

// read reads from a connection. The GOAWAY does not come before the server's first frame, which must be SETTINGS.
func (f *goAwayReader) read(from net.Conn, b []byte, open bool) (int, error) {
	if open && !f.opened.Load() {
		f.opened.Store(true)
	}
	for {
		due := open && !f.sent && f.due.Load()
		if due && f.frames.between() {
			f.sent, f.pending = true, goAway()
		}
		if len(f.pending) > 0 {
			n := copy(b, f.pending)
			f.pending = f.pending[n:]
			return n, nil
		}
		part := b
		if due {
			part = b[:min(len(b), f.frames.left())] // not beyond the end of the frame
		}
		n, err := from.Read(part)
		if !f.sent {
			f.frames.skip(part[:n])
			f.sent = f.frames.goAway // the server sent one itself
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && f.woken.Swap(false) {
			_ = from.SetReadDeadline(time.Time{})
			continue
		}
		return n, err
	}
}

// Wakeable is a connection below TLS whose reader may be woken by a deadline in the past, and can read on afterwards:
// TLS does so only after errors that say that they are temporary.
type Wakeable struct{ net.Conn }

// Read reads, and reports a deadline that has passed as package os does.
func (w Wakeable) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // connections return it unwrapped
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// goAwayWriter makes a server drain one connection: it writes a GOAWAY between two frames of the server. The transport
// of gRPC need not know of it.
type goAwayWriter struct {
	mu     sync.Mutex
	frames frames
	begun  bool // the server's first frame was written
	due    bool
	sent   bool // the client has a GOAWAY, of drain or of the transport
}

// drain writes the GOAWAY at once, or behind the frame that is being written.
func (d *goAwayWriter) drain(to net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due = true
	_ = d.writeGoAway(to) // the transport finds out by itself that the connection is broken
}

func (d *goAwayWriter) writeGoAway(to net.Conn) error {
	if !d.due || d.sent || !d.begun || !d.frames.between() {
		return nil
	}
	d.sent = true
	_, err := to.Write(goAway())
	return err
}

func (d *goAwayWriter) write(to net.Conn, b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := to.Write(b)
	if d.sent {
		return n, err
	}
	d.frames.skip(b[:n])
	d.begun = d.begun || n > 0
	d.sent = d.frames.goAway // the transport wrote one itself
	if err != nil {
		return n, err
	}
	return n, d.writeGoAway(to)
}
