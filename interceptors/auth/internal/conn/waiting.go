package conn

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"sync"
)

var (
	// ErrCrowded is the error of a connection that was closed to make room.
	ErrCrowded  = errors.New("auth: closed, before it had proven anything, to make room for another connection")
	errDraining = errors.New("auth: the server is going down and takes no more connections in")
)

// WaitingRoom holds the connections of a server that have proven nothing yet. It has room for so many; one more closes
// the one that waited longest among those of the source that has most, so that a source that comes again and again, or
// stalls, loses its own places and not those of others.
type WaitingRoom struct {
	Room int

	mu      sync.Mutex
	sources map[string]*list.List // of *Visitor by source, oldest first
	waiting int
	bytes   int // that the visitors hold of unfinished requests
	entered uint64
	closed  bool
}

// Visitor is one connection in the waiting room. Its fields are guarded by the room.
type Visitor struct {
	conn    net.Conn
	room    *WaitingRoom
	source  string
	number  uint64 // in the order of arrival
	place   *list.Element
	settled bool  // speaks HTTP/2 and has still proven nothing
	bytes   int   // it holds of unfinished requests
	evicted error // why the room closed the connection
}

// Enter takes a connection in. [Visitor.Release] must give its place back.
func (w *WaitingRoom) Enter(c net.Conn) (*Visitor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errDraining
	}
	if w.waiting >= w.Room {
		w.evict(w.oldestOfMost(), ErrCrowded)
	}
	v := &Visitor{conn: c, room: w, source: sourceOf(c), number: w.entered}
	w.entered++
	places := w.sources[v.source]
	if places == nil {
		places = list.New()
		if w.sources == nil {
			w.sources = map[string]*list.List{}
		}
		w.sources[v.source] = places
	}
	v.place = places.PushBack(v)
	w.waiting++
	return v, nil
}

// sourceOf is what connections of one source have in common: the address in IPv4, and in IPv6 the first 64 bits, which
// one host may vary at will below.
func sourceOf(c net.Conn) string {
	remote := c.RemoteAddr()
	if remote == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return remote.String()
	}
	bits := 32
	if at.Addr().Unmap().Is6() {
		bits = 64
	}
	prefix, err := at.Addr().Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return remote.String()
	}
	return prefix.String()
}

// oldestOfMost returns the oldest visitor of the source that has most. Among equals it is the one that waited longest.
func (w *WaitingRoom) oldestOfMost() *Visitor {
	var found *Visitor
	most := 0
	for _, places := range w.sources {
		oldest, _ := places.Front().Value.(*Visitor)
		if n := places.Len(); n > most || n == most && oldest.number < found.number {
			found, most = oldest, n
		}
	}
	return found
}

// Close closes every connection that is in its handshake, and lets none in from now on. GRPC knows the others and tells
// them to go.
func (w *WaitingRoom) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, v := range w.visitors() {
		if !v.settled {
			w.evict(v, errDraining)
		}
	}
}

func (w *WaitingRoom) visitors() []*Visitor {
	var all []*Visitor
	for _, places := range w.sources {
		for place := places.Front(); place != nil; place = place.Next() {
			if v, ok := place.Value.(*Visitor); ok {
				all = append(all, v)
			}
		}
	}
	return all
}

func (w *WaitingRoom) evict(v *Visitor, why error) {
	if v == nil {
		return
	}
	w.remove(v)
	v.evicted = why
	_ = v.conn.Close() // wakes its handshake, which reports the end
}

func (w *WaitingRoom) remove(v *Visitor) {
	if v.place == nil {
		return
	}
	places := w.sources[v.source]
	places.Remove(v.place)
	if places.Len() == 0 {
		delete(w.sources, v.source)
	}
	v.place = nil
	w.waiting--
	w.bytes -= v.bytes
	v.bytes = 0
}

// settle notes that the connection is out of its handshake and keeps its place.
func (v *Visitor) settle() {
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	v.settled = true
}

// Release gives the place back, because the peer is known or the connection is closed. If the room has closed the
// connection, Release returns why.
func (v *Visitor) Release() error {
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	v.room.remove(v)
	return v.evicted
}

// hold notes how many bytes of unfinished requests the connection holds. It reports whether the connection is still a
// stranger, since the requests of others are not bounded. Beyond what all may hold, the one that holds most is closed.
func (v *Visitor) hold(bytes int) (stranger bool, evicted error) {
	w := v.room
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.place == nil {
		return false, v.evicted
	}
	w.bytes += bytes - v.bytes
	v.bytes = bytes
	if w.bytes > maxStrangersBytes {
		var most *Visitor
		for _, other := range w.visitors() {
			if most == nil || other.bytes > most.bytes {
				most = other
			}
		}
		w.evict(most, ErrCrowded)
	}
	return v.place != nil, v.evicted
}

// expel closes the connection.
func (v *Visitor) expel(why error) {
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	if v.place != nil {
		v.room.evict(v, why)
	}
}
