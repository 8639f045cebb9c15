package conn

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
)

// visit is a connection from an address that notes whether it was closed.
type visit struct {
	net.Conn
	from   net.Addr
	closed atomic.Bool
}

func (v *visit) RemoteAddr() net.Addr { return v.from }
func (v *visit) Close() error         { v.closed.Store(true); return nil }

func from(address string) *visit {
	return &visit{from: net.TCPAddrFromAddrPort(addrPort(address))}
}

func enter(t *testing.T, w *WaitingRoom, c net.Conn) *Visitor {
	t.Helper()
	v, err := w.Enter(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// One address that comes again and again takes its own places, and those who come from elsewhere keep theirs.
func TestChurnFromOneSourceShutsOutNobodyElse(t *testing.T) {
	for name, churn := range map[string]func(n int) string{
		"IPv4":                    func(int) string { return "10.0.0.9:4000" },
		"one network in IPv6":     func(n int) string { return "[2001:db8:0:1::" + string(rune('1'+n%9)) + "]:4000" },
		"IPv4 in IPv6":            func(n int) string { return []string{"10.0.0.9:1", "[::ffff:10.0.0.9]:2"}[n%2] },
		"the address of the peer": func(int) string { return "10.0.0.1:5000" },
	} {
		t.Run(name, func(t *testing.T) {
			w := &WaitingRoom{Room: 8}
			early := []*visit{from("10.0.0.1:1"), from("10.0.0.2:1"), from("[2001:db8:0:2::1]:1")}
			for _, c := range early {
				enter(t, w, c)
			}
			for n := range 1000 {
				enter(t, w, from(churn(n)))
			}
			for _, c := range early {
				if shared := name == "the address of the peer" && c == early[0]; c.closed.Load() != shared {
					t.Errorf("%v: closed %v", c.from, c.closed.Load())
				}
			}
			if w.waiting != 8 {
				t.Errorf("%d places are taken", w.waiting)
			}
		})
	}
}

func TestTheOldestIsClosedAmongEquals(t *testing.T) {
	w := &WaitingRoom{Room: 3}
	first, second, third := from("10.0.0.1:1"), from("10.0.0.2:1"), from("10.0.0.3:1")
	place := enter(t, w, first)
	enter(t, w, second)
	enter(t, w, third)
	enter(t, w, from("10.0.0.4:1"))
	if !first.closed.Load() || second.closed.Load() || third.closed.Load() || !errors.Is(place.Release(), ErrCrowded) {
		t.Errorf("closed: %v %v %v", first.closed.Load(), second.closed.Load(), third.closed.Load())
	}
}
