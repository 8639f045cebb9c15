package verify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/lru"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
)

// Cache remembers the tokens of one Verifier that were found good, and those whose signature did not hold. It keeps no
// other refusal, because keys and times change. Tokens must be of types that may be used many times; a proof is never
// cached.
//
// However many tokens there are and however long they are, they take about cachedTokenBytes at most, 32 MiB, and
// recentTokenBytes more, 4 MiB. Of tokens as Parley makes them all 4,096 have room, of the longest some 600.
//
// A token is found by its exact bytes. What a token means to one Verifier never changes, so a hit compares only
// the time and the key again.
type Cache struct {
	recent recentTokens
	shards [cacheShards]cacheShard
	clock  stepClock
	onStep func(time.Duration)

	mu  sync.Mutex
	bad *lru.Cache[Hash, badToken]
}

type cacheShard struct {
	mu      sync.Mutex
	good    *lru.Cache[Hash, *Token]
	flights map[Hash]*flight
}

// badToken is a token whose signature did not hold under the keys of this generation.
type badToken struct {
	by         *Profile
	generation uint64
	at         time.Time
	err        error
}

// flight is the check of a token, for all calls that bring the token meanwhile.
type flight struct {
	done chan struct{}
	t    *Token
	err  error
}

// NewCache returns an empty cache, which calls onStep when the wall clock was set by more than the clock skew.
func NewCache(onStep func(time.Duration)) *Cache {
	c := &Cache{
		recent: newRecentTokens(),
		bad:    lru.New[Hash, badToken](badTokens),
		clock:  newStepClock(time.Now()),
		onStep: onStep,
	}
	for i := range c.shards {
		c.shards[i].good = lru.NewSized[Hash, *Token](cachedTokens/cacheShards, cachedTokenBytes/cacheShards)
		c.shards[i].flights = make(map[Hash]*flight)
	}
	return c
}

// get returns a token that was found good before and still is, or nil, and the hash of the text.
func (c *Cache) get(compact string, now time.Time) (*Token, Hash) {
	if step := c.clock.step(now); step > wire.ClockSkew || step < -wire.ClockSkew {
		c.flush(now)
		c.onStep(step)
		return nil, HashOf(compact)
	}
	if t := c.recent.find(compact); t != nil && t.holds(now) {
		return t, t.Hash
	}
	hash := HashOf(compact)
	s := c.shard(hash)
	s.mu.Lock()
	t, ok := s.good.Get(hash)
	s.mu.Unlock()
	if !ok {
		return nil, hash
	}
	if t.holds(now) {
		c.recent.keep(compact, t, now)
		return t, hash
	}
	s.mu.Lock()
	s.good.Remove(hash)
	s.mu.Unlock()
	return nil, hash // the complete check says why
}

func (c *Cache) shard(hash Hash) *cacheShard { return &c.shards[hash[0]%cacheShards] }

// knownBad is the error of a token whose signature was found not to hold a moment ago.
func (c *Cache) knownBad(hash Hash, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.bad.Get(hash)
	if !ok || now.Sub(b.at) >= badTokenAge || b.by.Keys.Generation() != b.generation {
		return nil
	}
	return b.err
}

// checkOnce runs check once for all calls that bring the same token at the same time, and keeps a good token. When that
// one check ends because its own call was cancelled or ran out of time, the other calls check again.
func (c *Cache) checkOnce(ctx context.Context, hash Hash, check func() (*Token, error)) (*Token, error) {
	s := c.shard(hash)
	for {
		s.mu.Lock()
		f := s.flights[hash]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			s.flights[hash] = f
			s.mu.Unlock()
			defer s.finish(hash, f)
			f.t, f.err = check()
			return f.t, f.err
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, errors.Join(turnstile.ErrOverloaded, ctx.Err())
		}
		if f.err == nil || !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return f.t, f.err
		}
	}
}

func (s *cacheShard) finish(hash Hash, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.err == nil {
		s.good.PutSized(hash, f.t, f.t.size)
	}
	delete(s.flights, hash)
	close(f.done)
}

// keepBad keeps a refusal if it is that of a signature.
func (c *Cache) keepBad(t *Token, err error) {
	if !errors.Is(err, jose.ReasonSignature) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad.Put(t.Hash, badToken{by: t.profile, generation: t.generation.Load(), at: time.Now(), err: err})
}

// flush forgets everything.
func (c *Cache) flush(now time.Time) {
	c.recent.clear()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.good.Clear()
		s.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad.Clear()
	c.clock.reset(now)
}
