package verify

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

// recentTokens find good tokens of the cache by their text, without the SHA-256 that the cache itself knows them by,
// which costs several times as much as all the rest of a hit. Each token has one place, which it keeps while it is
// good. Together they take no more than recentTokenBytes; beyond it a token is found by its hash alone.
type recentTokens struct {
	seed   maphash.Seed
	size   atomic.Int64
	places [recentPlaces]atomic.Pointer[recentToken]
}

type recentToken struct {
	sum     uint64 // of the text
	compact string
	token   *Token
}

func newRecentTokens() recentTokens { return recentTokens{seed: maphash.MakeSeed()} }

// find compares the sums first: no caller can make a token of the same sum as another, so how long the comparison of
// the texts takes says nothing about one that another caller brought.
func (r *recentTokens) find(compact string) *Token {
	sum := maphash.String(r.seed, compact)
	if k := r.place(sum).Load(); k != nil && k.sum == sum && k.compact == compact {
		return k.token
	}
	return nil
}

// keep gives a token its place unless another one that is still good has it.
func (r *recentTokens) keep(compact string, t *Token, now time.Time) {
	sum := maphash.String(r.seed, compact)
	place := r.place(sum)
	before := place.Load()
	if before != nil && before.token.holds(now) {
		return
	}
	next := &recentToken{sum, compact, t}
	grows := next.size() - before.size()
	if r.size.Add(grows) > recentTokenBytes || !place.CompareAndSwap(before, next) {
		r.size.Add(-grows)
	}
}

// size is how much memory it takes, about: that of the token too, which the cache may have dropped.
func (k *recentToken) size() int64 {
	if k == nil {
		return 0
	}
	return int64(len(k.compact) + k.token.size)
}

func (r *recentTokens) place(sum uint64) *atomic.Pointer[recentToken] {
	return &r.places[sum%recentPlaces]
}

func (r *recentTokens) clear() {
	for i := range r.places {
		r.size.Add(-r.places[i].Swap(nil).size())
	}
}
