package auth

import (
	"net"
	"sync"
)

// conn is what a handshake returns to gRPC: the TLS connection, held to its credential.
type conn struct {
	net.Conn
	link    *link // nil on plain HTTP/2
	parting *farewell
	preface *preface // touched by the reading goroutine only
	opened  func()   // called once, when the HTTP/2 preface is complete or the connection is closed
	closed  func()   // called when the connection is closed, unless it is nil
}

func newConn(tlsConn net.Conn, l *link, p preface, opened func()) *conn {
	c := &conn{Conn: tlsConn, link: l, preface: &p, opened: sync.OnceFunc(opened)}
	if l != nil {
		c.parting = l.farewell()
	}
	return c
}

// Read reads, and notices the end of the HTTP/2 preface.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.read(b)
	if c.preface != nil && c.preface.skip(b[:n]) {
		c.preface = nil
		c.opened()
	}
	return n, err
}

func (c *conn) read(b []byte) (int, error) {
	if c.parting != nil {
		return c.parting.read(c.Conn, b, c.preface == nil)
	}
	return c.Conn.Read(b)
}

// Write writes nothing once the credential has ended, whoever was about to close the connection for it.
func (c *conn) Write(b []byte) (int, error) {
	if c.link != nil && !c.link.alive() {
		c.link.cut("its credential")
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Close closes the connection and the one below it.
func (c *conn) Close() error {
	if c.link != nil {
		c.link.release()
	}
	c.opened()
	if c.closed != nil {
		c.closed()
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

const (
	clientMagicLength = 24
	http2HeaderLength = 9
)

func serverPreface() preface { return preface{} }
func clientPreface() preface { return preface{magic: clientMagicLength} }

// skip takes bytes that were read. It reports whether they complete the preface.
func (p *preface) skip(b []byte) bool {
	n := min(p.magic, len(b))
	p.magic -= n
	b = b[n:]
	if missing := http2HeaderLength - len(p.header); missing > 0 {
		n = min(missing, len(b))
		p.header = append(p.header, b[:n]...)
		if len(p.header) < http2HeaderLength {
			return false
		}
		b = b[n:]
		p.body = int(p.header[0])<<16 | int(p.header[1])<<8 | int(p.header[2])
	}
	p.body -= len(b)
	return p.body <= 0
}
