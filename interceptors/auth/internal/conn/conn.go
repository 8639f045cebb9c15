package conn

import (
	"net"
	"sync"

	"github.com/parley-rpc/parley/internal/wire"
)

// Conn is what a handshake returns to gRPC: the TLS connection, held to its credential.
type Conn struct {
	net.Conn
	session   *Session      // nil on plain HTTP/2
	goAwayIn  *goAwayReader // of a client in connection mode
	goAwayOut *goAwayWriter // of a server in connection mode
	stranger  *stranger     // of a server, on plain HTTP/2
	preface   *preface      // touched by the reading goroutine only
	opened    func()        // called once, when the HTTP/2 preface is complete or the connection is closed
}

// New returns the connection of a session, which is nil on plain HTTP/2. Opened is called once, when the HTTP/2 preface
// of the other end is complete or the connection is closed.
func New(tlsConn net.Conn, s *Session, role string, opened func()) *Conn {
	p := &preface{}
	if role == wire.RoleServer {
		p.magic = clientMagicLength
	}
	c := &Conn{Conn: tlsConn, session: s, preface: p, opened: sync.OnceFunc(opened)}
	switch {
	case s == nil:
	case role == wire.RoleClient:
		c.goAwayIn = &goAwayReader{}
		s.whenDraining(func() { c.goAwayIn.drain(tlsConn) })
	default:
		c.goAwayOut = &goAwayWriter{}
		s.whenDraining(func() { c.goAwayOut.drain(tlsConn) })
	}
	return c
}

// NewStranger returns a server's connection of plain HTTP/2 on which nothing is proven yet. It holds its place in the
// waiting room until [Visitor.Release] is called or it is closed.
func NewStranger(tlsConn net.Conn, v *Visitor) *Conn {
	c := New(tlsConn, nil, wire.RoleServer, v.settle)
	c.stranger = &stranger{visitor: v}
	return c
}

// Session is the session of the connection, and nil on plain HTTP/2.
func (c *Conn) Session() *Session { return c.session }

// Read reads, and notices the end of the HTTP/2 preface.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.read(b)
	if c.stranger != nil {
		if wrong := c.stranger.take(b[:n]); wrong != nil {
			return 0, wrong
		}
	}
	if c.preface != nil && c.preface.skip(b[:n]) {
		c.preface = nil
		c.opened()
	}
	return n, err
}

func (c *Conn) read(b []byte) (int, error) {
	if c.goAwayIn != nil {
		return c.goAwayIn.read(c.Conn, b, c.preface == nil)
	}
	return c.Conn.Read(b)
}

// Write writes nothing once the credential has ended, whoever was about to close the connection for it.
func (c *Conn) Write(b []byte) (int, error) {
	if c.session != nil && !c.session.Alive() {
		c.session.cut("its credential")
		return 0, net.ErrClosed
	}
	if c.goAwayOut != nil {
		return c.goAwayOut.write(c.Conn, b)
	}
	n, err := c.Conn.Write(b)
	if c.stranger != nil {
		c.stranger.answer(b[:n])
	}
	return n, err
}

// Close closes the connection and the one below it.
func (c *Conn) Close() error {
	if c.session != nil {
		c.session.Release()
	}
	c.opened()
	if c.stranger != nil {
		c.stranger.close()
	}
	return c.Conn.Close()
}

// preface counts the bytes up to the end of the first HTTP/2 frame (RFC 9113 section 3.4). Until then the peer has said
// nothing that gRPC can work with, and the deadline of the handshake holds.
type preface struct {
	magic  int // bytes before the first frame
	header []byte
	body   int
}

// skip takes bytes that were read. It reports whether they complete the preface.
func (p *preface) skip(b []byte) bool {
	n := min(p.magic, len(b))
	p.magic -= n
	b = b[n:]
	if missing := frameHeaderLength - len(p.header); missing > 0 {
		n = min(missing, len(b))
		p.header = append(p.header, b[:n]...)
		if len(p.header) < frameHeaderLength {
			return false
		}
		b = b[n:]
		p.body = int(p.header[0])<<16 | int(p.header[1])<<8 | int(p.header[2])
	}
	p.body -= len(b)
	return p.body <= 0
}
