package conn

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// farewell makes a client leave a connection without breaking a call: when the time has come, the client's transport
// reads a GOAWAY between two frames of the server, lets the calls that are under way end, and connects anew. The server
// need not know that the connection ends. It belongs to the reading goroutine but for its flags.
type farewell struct {
	frames  frames
	pending []byte
	said    bool

	leaving atomic.Bool
	opened  atomic.Bool // the preface is complete, so the deadline of the handshake is no more
	woken   atomic.Bool // the deadline for reading is ours, and in the past
}

// leave makes the transport read the GOAWAY, also where it waits for a quiet server.
func (f *farewell) leave(from net.Conn) {
	f.leaving.Store(true)
	if f.opened.Load() {
		f.woken.Store(true)
		_ = from.SetReadDeadline(time.Unix(1, 0)) // without it the transport leaves with the next frame
	}
}

// read reads from a connection. Nothing is said before the server's first frame, which gRPC wants to be another.
func (f *farewell) read(from net.Conn, b []byte, open bool) (int, error) {
	if open && !f.opened.Load() {
		f.opened.Store(true)
	}
	for {
		due := open && !f.said && f.leaving.Load()
		if due && f.frames.between() {
			f.said, f.pending = true, goAway()
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
		if !f.said {
			f.frames.skip(part[:n])
			f.said = f.frames.goAway // the server was first
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

// dismissal makes a server send its client away from one connection: it writes a GOAWAY between two frames of the
// server, of which gRPC's transport need not know.
type dismissal struct {
	mu      sync.Mutex
	frames  frames
	begun   bool // the server's first frame was written
	leaving bool
	said    bool
}

// leave writes the GOAWAY at once, or behind the frame that is being written.
func (d *dismissal) leave(to net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving = true
	_ = d.say(to) // the transport finds out by itself that the connection is broken
}

func (d *dismissal) say(to net.Conn) error {
	if !d.leaving || d.said || !d.begun || !d.frames.between() {
		return nil
	}
	d.said = true
	_, err := to.Write(goAway())
	return err
}

func (d *dismissal) write(to net.Conn, b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := to.Write(b)
	if d.said {
		return n, err
	}
	d.frames.skip(b[:n])
	d.begun = d.begun || n > 0
	d.said = d.frames.goAway // the transport was first
	if err != nil {
		return n, err
	}
	return n, d.say(to)
}
