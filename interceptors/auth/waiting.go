package auth

import (
	"container/list"
	"errors"
	"net"
	"sync"
)

var (
	errCrowded  = errors.New("auth: closed in its handshake to make room for another connection")
	errDraining = errors.New("auth: the server is going down and takes no more connections in")
)

// waitingRoom holds the connections of a server that are in their handshake. It has room for so many; one more closes
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

// close closes every connection in the room, and lets none in from now on.
func (w *waitingRoom) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for front := w.order.Front(); front != nil; front = w.order.Front() {
		w.evict(front, errDraining)
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
