package dedupe

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of one process. Make one with [NewMemory].
type Memory struct {
	entries int
	bytes   int

	mu    sync.Mutex
	known map[Key]*entry
	used  int        // bytes
	order *list.List // of the keys that are finished, in the order in which they were
}

type entry struct {
	fingerprint Fingerprint
	done        chan struct{} // closed when the claim ends
	finished    *list.Element // nil while the claim is held
	answer      Answer
	expires     time.Time
	size        int
}

// NewMemory returns a store with at most so many keys and bytes. Values that are not positive mean the defaults,
// 100,000 keys and 64 MiB.
func NewMemory(entries, bytes int) *Memory {
	if entries <= 0 {
		entries = defaultEntries
	}
	if bytes <= 0 {
		bytes = defaultBytes
	}
	return &Memory{entries: entries, bytes: bytes, known: map[Key]*entry{}, order: list.New()}
}

var _ Store = (*Memory)(nil)

// Claim implements [Store].
func (m *Memory) Claim(ctx context.Context, key Key, fingerprint Fingerprint, _ time.Duration) (Answer, bool, error) {
	for {
		known, claimed, busy, err := m.claim(key, fingerprint)
		if busy == nil {
			return known, claimed, err
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return Answer{}, false, ctx.Err()
		}
	}
}

// claim is one try. Busy, if not nil, is closed when there is something new to see.
func (m *Memory) claim(key Key, fingerprint Fingerprint) (known Answer, claimed bool, busy <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expire(now)
	e := m.known[key]
	if e != nil && e.finished != nil && !now.Before(e.expires) {
		m.remove(key, e)
		e = nil
	}
	switch {
	case e == nil:
		size := entryBytes + len(key.Caller) + len(key.Method) + len(key.Key)
		if len(m.known) >= m.entries || m.used+size > m.bytes {
			return Answer{}, false, nil, ErrFull
		}
		m.known[key] = &entry{fingerprint: fingerprint, done: make(chan struct{}), size: size}
		m.used += size
		return Answer{}, true, nil, nil
	case e.fingerprint != fingerprint:
		return Answer{}, false, nil, ErrReused
	case e.finished != nil:
		return e.answer, false, nil, nil
	default:
		return Answer{}, false, e.done, nil
	}
}

// Finish implements [Store].
func (m *Memory) Finish(_ context.Context, key Key, answer Answer, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[key]
	if e == nil || e.finished != nil {
		return nil
	}
	more := len(answer.Reply) + len(answer.Status)
	if m.used+more > m.bytes {
		m.expire(time.Now())
		if m.used+more > m.bytes {
			return ErrFull
		}
	}
	e.answer, e.expires = answer, time.Now().Add(ttl)
	e.size += more
	m.used += more
	e.finished = m.order.PushBack(key)
	close(e.done)
	return nil
}

// Release implements [Store].
func (m *Memory) Release(_ context.Context, key Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.known[key]; e != nil && e.finished == nil {
		m.remove(key, e)
		close(e.done)
	}
	return nil
}

// Len is the number of keys that are held or kept.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(time.Now())
	return len(m.known)
}

// expire drops the expired entries, oldest first. Where answers are kept for different times, some go later than they
// could.
func (m *Memory) expire(now time.Time) {
	for first := m.order.Front(); first != nil; first = m.order.Front() {
		key := first.Value.(Key)
		e := m.known[key]
		if now.Before(e.expires) {
			return
		}
		m.remove(key, e)
	}
}

func (m *Memory) remove(key Key, e *entry) {
	delete(m.known, key)
	m.used -= e.size
	if e.finished != nil {
		m.order.Remove(e.finished)
	}
}
