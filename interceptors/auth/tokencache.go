package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
)

// tokenHash is the SHA-256 of the exact bytes of a token.
type tokenHash = [sha256.Size]byte

// tokenCache remembers the tokens of one verifier that were found good, and those whose signature did not hold. It keeps no
// other refusal, because keys and times change. Tokens must be of types that may be used many times; a proof is never cached.
//
// A token is found by its exact bytes. What a token means to one verifier is fixed, so a hit needs to look again only at the
// time and at the key.
type tokenCache struct {
	recent recentTokens
	shards [tokenCacheShards]tokenShard
	clock  stepClock
	onStep func(time.Duration)

	mu  sync.Mutex
	bad *lru[tokenHash, badToken]
}

type tokenShard struct {
	mu      sync.Mutex
	good    *lru[tokenHash, *verified]
	flights map[tokenHash]*flight
}

// badToken is a token whose signature did not hold under the keys of this generation.
type badToken struct {
	by         *voucher
	generation uint64
	at         time.Time
	err        error
}

// flight is the verification of a token for everybody who brought it meanwhile.
type flight struct {
	done chan struct{}
	t    *verified
	err  error
}

func newTokenCache(onStep func(time.Duration)) *tokenCache {
	c := &tokenCache{recent: newRecentTokens(), bad: newLRU[tokenHash, badToken](badTokens), clock: newStepClock(time.Now()), onStep: onStep}
	for i := range c.shards {
		c.shards[i].good = newLRU[tokenHash, *verified](cachedTokens / tokenCacheShards)
		c.shards[i].flights = make(map[tokenHash]*flight)
	}
	return c
}

// get returns a token if it was found good before and still is, and its hash.
func (c *tokenCache) get(compact string, now time.Time) (*verified, tokenHash) {
	if step := c.clock.step(now); step > wire.ClockSkew || step < -wire.ClockSkew {
		c.flush(now)
		c.onStep(step)
		return nil, hashToken(compact)
	}
	if t := c.recent.find(compact); t != nil && t.holds(now) {
		return t, t.hash
	}
	hash := hashToken(compact)
	s := c.shard(hash)
	s.mu.Lock()
	t, ok := s.good.get(hash)
	s.mu.Unlock()
	if !ok {
		return nil, hash
	}
	if t.holds(now) {
		c.recent.keep(compact, t, now)
		return t, hash
	}
	s.mu.Lock()
	s.good.remove(hash)
	s.mu.Unlock()
	return nil, hash // the whole pipeline says why
}

// holds tells whether a token that was found good still is.
func (t *verified) holds(now time.Time) bool {
	return now.Sub(t.at) < cachedTokenAge && t.by.timely(t, now) == nil && t.trusted()
}

func (c *tokenCache) shard(hash tokenHash) *tokenShard { return &c.shards[hash[0]%tokenCacheShards] }

// knownBad is the error of a token whose signature was found not to hold a moment ago.
func (c *tokenCache) knownBad(hash tokenHash, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.bad.get(hash)
	if !ok || now.Sub(b.at) >= badTokenAge || b.by.generation() != b.generation {
		return nil
	}
	return b.err
}

// fly verifies a token once for all who bring it at the same time, and keeps what may be kept. One whose own time is not
// over does not share the fate of another whose time is.
func (c *tokenCache) fly(ctx context.Context, hash tokenHash, verify func() (*verified, error)) (*verified, error) {
	s := c.shard(hash)
	for {
		s.mu.Lock()
		f := s.flights[hash]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			s.flights[hash] = f
			s.mu.Unlock()
			defer s.land(hash, f)
			f.t, f.err = verify()
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

func (s *tokenShard) land(hash tokenHash, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.err == nil {
		s.good.put(hash, f.t)
	}
	delete(s.flights, hash)
	close(f.done)
}

// keepBad keeps a refusal if it is that of a signature.
func (c *tokenCache) keepBad(t *verified, err error) {
	if !errors.Is(err, jose.ReasonSignature) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad.put(t.hash, badToken{by: t.by, generation: t.generation.Load(), at: time.Now(), err: err})
}

// flush forgets everything.
func (c *tokenCache) flush(now time.Time) {
	c.recent.clear()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.good.clear()
		s.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad.clear()
	c.clock.reset(now)
}
