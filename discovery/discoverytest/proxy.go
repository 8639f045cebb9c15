package discoverytest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy between drivers and an engine. It simulates failures of connections, for [RunLive]. Its methods
// may be called from any goroutine.
type Proxy struct {
	target   string
	listener net.Listener

	ctx     context.Context // ends with the test
	running sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	down    bool
	resumed chan struct{} // closed at the end of a freeze; nil if there is none
	delay   time.Duration
}

// NewProxy starts a proxy for the engine at target, host:port. It stops when the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, conns: make(map[net.Conn]struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx = ctx
	p.running.Go(p.accept)
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		p.SetDown(true)
		p.running.Wait()
	})
	return p
}

// Addr returns the address of the proxy, to which drivers connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetDown closes every connection, and each new one at once, while down is true.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if down {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

// SetFrozen keeps connections open and passes no data on while frozen is true.
func (p *Proxy) SetFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case frozen && p.resumed == nil:
		p.resumed = make(chan struct{})
	case !frozen && p.resumed != nil:
		close(p.resumed)
		p.resumed = nil
	}
}

// SetDelay delays all data from the engine. Zero ends the delay.
func (p *Proxy) SetDelay(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	if !p.keep(client) {
		return
	}
	var dialer net.Dialer
	engine, err := dialer.DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer p.forget(engine)
	if !p.keep(engine) {
		return
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		p.forward(client, engine, true)
		_ = client.Close()
	})
	p.forward(engine, client, false)
	_ = engine.Close()
	answering.Wait()
}

// keep records a connection, and reports whether it may stay open.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	return !p.down
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) forward(to io.Writer, from io.Reader, answers bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.pass(answers) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until data may be passed on. It reports false if the data must be dropped.
func (p *Proxy) pass(answer bool) bool {
	p.mu.Lock()
	resumed, delay := p.resumed, p.delay
	p.mu.Unlock()
	if resumed != nil {
		select {
		case <-resumed:
		case <-p.ctx.Done():
			return false
		}
	}
	if !answer || delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}
