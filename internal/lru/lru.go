// Package lru keeps the values that were used last.
package lru

// Cache keeps the values that were used last, a fixed number of them, and of a size together. It is not safe for
// concurrent use.
type Cache[K comparable, V any] struct {
	room    int
	limit   int // of the sizes together; 0 without one
	size    int
	entries map[K]*entry[K, V]
	ring    entry[K, V] // next is the one used last, prev the one used first
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	size       int
	prev, next *entry[K, V]
}

// New returns a cache with room for so many values.
func New[K comparable, V any](room int) *Cache[K, V] {
	l := &Cache[K, V]{room: room}
	l.Clear()
	return l
}

// NewSized returns a cache with room for so many values, whose sizes together are limit at most.
func NewSized[K comparable, V any](room, limit int) *Cache[K, V] {
	l := New[K, V](room)
	l.limit = limit
	return l
}

// Get returns a value, and counts as its use.
func (l *Cache[K, V]) Get(key K) (value V, ok bool) {
	e := l.entries[key]
	if e == nil {
		return value, false
	}
	l.unlink(e)
	l.link(e)
	return e.value, true
}

// Put takes a value in, in the place of the one that was not used for longest if there is no room.
func (l *Cache[K, V]) Put(key K, value V) { l.PutSized(key, value, 0) }

// PutSized is Put of a value with a size. Those that were not used for longest make room for it. One that is larger
// than all the room is not taken in.
func (l *Cache[K, V]) PutSized(key K, value V, size int) {
	if l.limit > 0 && size > l.limit {
		l.Remove(key)
		return
	}
	l.put(key, value, size)
	for l.limit > 0 && l.size > l.limit {
		l.drop(l.ring.prev)
	}
}

func (l *Cache[K, V]) put(key K, value V, size int) {
	e := l.entries[key]
	switch {
	case e != nil:
		l.size -= e.size
		l.unlink(e)
	case len(l.entries) >= l.room:
		e = l.ring.prev
		l.drop(e)
	default:
		e = new(entry[K, V])
	}
	e.key, e.value, e.size = key, value, size
	l.size += size
	l.entries[key] = e
	l.link(e)
}

// Remove takes a value out.
func (l *Cache[K, V]) Remove(key K) {
	if e := l.entries[key]; e != nil {
		l.drop(e)
	}
}

// Clear takes all values out.
func (l *Cache[K, V]) Clear() {
	l.entries = make(map[K]*entry[K, V])
	l.size = 0
	l.ring.next, l.ring.prev = &l.ring, &l.ring
}

func (l *Cache[K, V]) drop(e *entry[K, V]) {
	l.unlink(e)
	delete(l.entries, e.key)
	l.size -= e.size
}

func (l *Cache[K, V]) link(e *entry[K, V]) {
	e.prev, e.next = &l.ring, l.ring.next
	e.prev.next, e.next.prev = e, e
}

func (l *Cache[K, V]) unlink(e *entry[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
}

// Len is how many values there are.
func (l *Cache[K, V]) Len() int { return len(l.entries) }
