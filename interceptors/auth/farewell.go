package auth

import (
	"net"
	"time"

	"github.com/parley-rpc/parley/internal/wire"
)

// farewell makes a client leave a connection whose credential ends earlier than the server knows, without breaking a call: when
// the time has come, the client's transport reads a GOAWAY (RFC 9113 section 6.8) between two frames of the server, lets the
// calls that are under way end, and connects anew. An idle connection is left with the first answer after that, or closed at
// its end. It is touched by the reading goroutine only.
type farewell struct {
	term    term
	header  []byte // of the frame that is being read
	body    int    // bytes that are left of it
	pending []byte
	said    bool
}

// farewell returns nil where the server says goodbye by itself.
func (l *link) farewell() *farewell {
	if l.role != wire.RoleClient || l.term.age >= l.identity.config.connectionAge {
		return nil
	}
	return &farewell{term: l.term, header: make([]byte, 0, http2HeaderLength)}
}

// goAway says that no stream was refused and nothing is wrong.
func goAway() []byte {
	return []byte{
		0, 0, 8, 7, 0, 0, 0, 0, 0, // length, type, flags, stream
		0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, // the last stream that counts, error code
	}
}

// read reads from a connection. Nothing is said before the server's first frame, which gRPC wants to be another.
func (f *farewell) read(from net.Conn, b []byte, open bool) (int, error) {
	due := open && !f.said && f.term.left(time.Now()) <= f.term.age*(100-drainPercent)/100
	if due && f.body == 0 && len(f.header) == 0 {
		f.said, f.pending = true, goAway()
	}
	if len(f.pending) > 0 {
		n := copy(b, f.pending)
		f.pending = f.pending[n:]
		return n, nil
	}
	if due {
		b = b[:min(len(b), f.left())] // not beyond the end of the frame
	}
	n, err := from.Read(b)
	if !f.said {
		f.skip(b[:n])
	}
	return n, err
}

// left is how many bytes are missing to the end of the frame, or of its header.
func (f *farewell) left() int {
	if f.body > 0 {
		return f.body
	}
	return http2HeaderLength - len(f.header)
}

func (f *farewell) skip(b []byte) {
	for len(b) > 0 {
		n := min(len(b), f.left())
		if f.body > 0 {
			f.body -= n
		} else if f.header = append(f.header, b[:n]...); len(f.header) == http2HeaderLength {
			f.body = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
			f.header = f.header[:0]
		}
		b = b[n:]
	}
}
