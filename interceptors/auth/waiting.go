package auth

import (
	"container/list"
	"errors"
	"net"
	"sync"
)

var (
	errCrowded  = errors.New("auth: closed, before it had proven anything, to make room for another connection")
	errDraining = errors.New("auth: the server is going down and takes no more connections in")
)

// waitingRoom holds the connections of a server that have proven nothing yet. It has room for so many; one more closes
// the one that waited longest, so that peers that stall lose their place and not those who come after them.
type waitingRoom struct {
	mu     sync.Mutex
	room   int
	order  list.List // of *visitor, oldest first
	closed bool
}

// visitor is one connection in the waiting room.
type visitor struct {
	conn    net.Conn
	room    *waitingRoom
	place   *list.Element
	settled bool  // speaks HTTP/2 and has still proven nothing; guarded by the room
	evicted error // why the room closed the connection; guarded by the room
}

// enter takes a connection in, which must be led out by leave.
func (w *waitingRoom) enter(c net.Conn) (*visitor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errDraining
	}
	if w.order.Len() >= w.room {
		w.evict(w.order.Front(), errCrowded)
	}
	v := &visitor{conn: c, room: w}
	v.place = w.order.PushBack(v)
	return v, nil
}

// close closes every connection that is in its handshake, and lets none in from now on. GRPC knows the others and tells them
// to go.
func (w *waitingRoom) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for place := w.order.Front(); place != nil; {
		next := place.Next()
		if v, ok := place.Value.(*visitor); ok && !v.settled {
			w.evict(place, errDraining)
		}
		place = next
	}
}

func (w *waitingRoom) evict(place *list.Element, why error) {
	v, ok := w.order.Remove(place).(*visitor)
	if !ok {
		return
	}
	v.place, v.evicted = nil, why
	_ = v.conn.Close() // wakes its handshake, which reports the end
}

// settle notes that the connection is out of its handshake and keeps its place.
func (v *visitor) settle() {
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	v.settled = true
}

// leave gives the place back. It returns why the room has closed the connection, if it has.
func (v *visitor) leave() error {
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	if v.place != nil {
		v.room.order.Remove(v.place)
		v.place = nil
	}
	return v.evicted
}
