package frameworktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/test/bufconn"
)

// bufferBytes is what a connection holds in each direction before a write waits for the reader.
const bufferBytes = 256 << 10

// listener is a bufconn listener whose connections have addresses that differ, as those of TCP do.
type listener struct {
	*bufconn.Listener
	addr  string
	count atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

func newListener(addr string) *listener {
	return &listener{Listener: bufconn.Listen(bufferBytes), addr: addr}
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// clientAddr is the address of a client as its server sees it. It holds the server's end of the connection, so that a
// fault can drop the connection of the call that it meets.
type clientAddr struct {
	memoryAddr
	conn net.Conn
}

func (l *listener) Addr() net.Addr { return memoryAddr(l.addr) }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.keep(c) {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	name := memoryAddr(fmt.Sprintf("client-%d of %s", l.count.Add(1), l.addr))
	return &conn{Conn: c, local: memoryAddr(l.addr), remote: clientAddr{name, c}}, nil
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	c, err := l.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, local: memoryAddr("client"), remote: memoryAddr(l.addr)}, nil
}

// keep remembers the server's end of a connection, unless the server is dead.
func (l *listener) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.conns = append(l.conns, c)
	}
	return !l.dead
}

// kill refuses new connections and breaks the ones that there are.
func (l *listener) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	_ = l.Close() // a process that is killed says nothing about it
	for _, c := range l.conns {
		_ = c.Close()
	}
}

type conn struct {
	net.Conn
	local, remote net.Addr
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }
