package tracing

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache remembers what is worked out once per key. A look-up takes no lock; the map behind it is replaced on each
// addition.
type cache[K comparable, V any] struct {
	entries atomic.Pointer[map[K]*V]
	adding  sync.Mutex
}

// get returns what is remembered for the key, or nil.
func (c *cache[K, V]) get(key K) *V {
	if entries := c.entries.Load(); entries != nil {
		return (*entries)[key]
	}
	return nil
}

// add remembers what create returns for the key, unless another goroutine did so first. It returns nil when the cache
// holds limit entries already.
func (c *cache[K, V]) add(key K, limit int, create func() *V) *V {
	c.adding.Lock()
	defer c.adding.Unlock()
	if known := c.get(key); known != nil {
		return known
	}
	var entries map[K]*V
	if old := c.entries.Load(); old != nil {
		if len(*old) >= limit {
			return nil
		}
		entries = maps.Clone(*old)
	} else {
		entries = map[K]*V{}
	}
	made := create()
	entries[key] = made
	c.entries.Store(&entries)
	return made
}
