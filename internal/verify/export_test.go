package verify

import (
	"strconv"
	"time"
)

// Remembered counts the good and the bad tokens that a cache remembers.
func (c *Cache) Remembered() (good, bad int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		good += s.good.Len()
		s.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return good, c.bad.Len()
}

// RememberLike remembers as many tokens more, as if each had just been found as good as one that is known. Signing and
// checking them would take seconds.
func (c *Cache) RememberLike(token string, count int) {
	known, _ := c.get(token, time.Now())
	for n := range count {
		hash := HashOf(strconv.Itoa(n))
		c.shard(hash).finish(hash, &flight{done: make(chan struct{}), t: known})
	}
}

// SetClock makes the cache believe that the wall clock was set forward by d since it was made.
func (c *Cache) SetClock(d time.Duration) { c.clock.offset.Add(-int64(d)) }
