package verify

import (
	"strconv"
	"time"
)

// Tests of package auth see a cache only through its effects. What these functions show or change cannot be seen or
// made from there: how much is remembered, and a wall clock that is set.

// Remembered counts the good and the bad tokens that the verifier remembers.
func (v *Verifier) Remembered() (good, bad int) {
	c := v.cache
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

// RememberLike remembers as many tokens more, as if each had just been found as good as one that is known.
func (v *Verifier) RememberLike(token string, count int) {
	known, _ := v.cache.get(token, time.Now())
	for n := range count {
		hash := HashOf(strconv.Itoa(n))
		v.cache.shard(hash).land(hash, &flight{done: make(chan struct{}), t: known})
	}
}

// SetClock makes the cache believe that the wall clock was set forward by d since it was made.
func (v *Verifier) SetClock(d time.Duration) { v.cache.clock.offset.Add(-int64(d)) }
