package store

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of one process. Its records are lost with the process. Make one with [NewMemory].
type Memory struct {
	mu      sync.Mutex
	kinds   map[Kind]map[string]Record
	expires []expiry // earliest first
	version uint64
	closed  bool
}

// expiry is when a version of a record expires.
type expiry struct {
	at      time.Time
	kind    Kind
	name    string
	version uint64
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{kinds: map[Kind]map[string]Record{}} }

// enter locks the store for one method.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrClosed
	}
	m.prune(time.Now())
	return nil
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, kind Kind, name string) (Record, error) {
	if err := m.enter(ctx); err != nil {
		return Record{}, err
	}
	defer m.mu.Unlock()
	r, ok := m.kinds[kind][name]
	if !ok {
		return Record{}, ErrNotFound
	}
	return r.clone(), nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, kind Kind, after string, limit int) ([]Record, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var list []Record
	for _, name := range slices.Sorted(maps.Keys(m.kinds[kind])) {
		if name > after && len(list) < limit {
			list = append(list, m.kinds[kind][name].clone())
		}
	}
	return list, nil
}

// Apply implements [Store].
func (m *Memory) Apply(ctx context.Context, changes ...Change) error {
	if err := Check(changes); err != nil {
		return err
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, c := range changes {
		if m.kinds[c.Kind][c.Name].Version != c.Version {
			return ErrConflict
		}
	}
	for _, c := range changes {
		m.version++
		if c.Delete {
			delete(m.kinds[c.Kind], c.Name)
			continue
		}
		if m.kinds[c.Kind] == nil {
			m.kinds[c.Kind] = map[string]Record{}
		}
		m.kinds[c.Kind][c.Name] = Record{c.Kind, c.Name, slices.Clone(c.Value), m.version, c.Expires}
		if !c.Expires.IsZero() {
			m.expire(expiry{c.Expires, c.Kind, c.Name, m.version})
		}
	}
	return nil
}

// expire notes when a record expires.
func (m *Memory) expire(e expiry) {
	n, _ := slices.BinarySearchFunc(m.expires, e, func(a, b expiry) int { return cmp.Or(a.at.Compare(b.at), -1) })
	m.expires = slices.Insert(m.expires, n, e)
}

// prune removes the expired records.
func (m *Memory) prune(now time.Time) {
	n := 0
	for ; n < len(m.expires) && Expired(m.expires[n].at, now); n++ {
		e := m.expires[n]
		if m.kinds[e.kind][e.name].Version == e.version {
			delete(m.kinds[e.kind], e.name)
		}
	}
	m.expires = m.expires[n:]
}

// Snapshot implements [Store].
func (m *Memory) Snapshot(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		all, err := m.all(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *Memory) all(ctx context.Context) ([]Record, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []Record
	for _, records := range m.kinds {
		for _, r := range records {
			all = append(all, r.clone())
		}
	}
	slices.SortFunc(all, func(a, b Record) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all, nil
}

// Close implements [Store]. The records are lost.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.kinds, m.expires = true, nil, nil
	return nil
}

func (r Record) clone() Record {
	r.Value = slices.Clone(r.Value)
	return r
}
