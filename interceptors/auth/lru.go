package auth

// lru keeps the values that were used last, a fixed number of them. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	room    int
	entries map[K]*lruEntry[K, V]
	ring    lruEntry[K, V] // next is the one used last, prev the one used first
}

type lruEntry[K comparable, V any] struct {
	key        K
	value      V
	prev, next *lruEntry[K, V]
}

func newLRU[K comparable, V any](room int) *lru[K, V] {
	l := &lru[K, V]{room: room}
	l.clear()
	return l
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	e := l.entries[key]
	if e == nil {
		return value, false
	}
	l.unlink(e)
	l.link(e)
	return e.value, true
}

// put takes a value in, in the place of the one that was not used for longest if there is no room.
func (l *lru[K, V]) put(key K, value V) {
	e := l.entries[key]
	switch {
	case e != nil:
		l.unlink(e)
	case len(l.entries) >= l.room:
		e = l.ring.prev
		l.drop(e)
	default:
		e = new(lruEntry[K, V])
	}
	e.key, e.value = key, value
	l.entries[key] = e
	l.link(e)
}

func (l *lru[K, V]) remove(key K) {
	if e := l.entries[key]; e != nil {
		l.drop(e)
	}
}

func (l *lru[K, V]) clear() {
	l.entries = make(map[K]*lruEntry[K, V])
	l.ring.next, l.ring.prev = &l.ring, &l.ring
}

func (l *lru[K, V]) drop(e *lruEntry[K, V]) {
	l.unlink(e)
	delete(l.entries, e.key)
}

func (l *lru[K, V]) link(e *lruEntry[K, V]) {
	e.prev, e.next = &l.ring, l.ring.next
	e.prev.next, e.next.prev = e, e
}

func (l *lru[K, V]) unlink(e *lruEntry[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
}
