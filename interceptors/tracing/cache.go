package tracing

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache keeps a value for each key. A look-up takes no lock, because each addition replaces the map.
type cache[K comparable, V any] struct {
	entries atomic.Pointer[map[K]*V]
	adding  sync.Mutex
}

// get returns the value of the key, or nil.
func (c *cache[K, V]) get(key K) *V {
	if entries := c.entries.Load(); entries != nil {
		return (*entries)[key]
	}
	return nil
}

// add stores the result of create for the key, unless another goroutine has stored one. It returns nil if the cache
// already has limit entries.
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
