package grpcbalancer

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/resolver"
)

// subset limits the number of endpoints that one channel connects to.
type subset struct{ above, size uint32 }

// divides reports whether a service with so many instances is too large for one channel.
func (s *subset) divides(instances int) bool { return instances > int(s.above) }

// chooser chooses the subset of one channel by rendezvous hashing (gRFC A68). The order of the endpoints is random for
// each channel, and does not change when other endpoints come and go. Endpoints that cannot be reached come last, so
// that a channel does not keep dead endpoints.
type chooser struct {
	seed maphash.Seed
	dead map[string]time.Time // by address: when the endpoint was found dead
}

func newChooser() *chooser {
	return &chooser{seed: maphash.MakeSeed(), dead: make(map[string]time.Time)}
}

// choose returns the subset of a list, in the order of the list.
func (c *chooser) choose(s *subset, all []resolver.Endpoint) []resolver.Endpoint {
	if !s.divides(len(all)) {
		return all
	}
	c.forget(all)
	type ranked struct {
		index int
		dead  bool
		rank  uint64
	}
	order := make([]ranked, len(all))
	for i, e := range all {
		order[i] = ranked{index: i, dead: c.isDead(e), rank: c.rank(e)}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		if a.dead != b.dead {
			if a.dead {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.index, b.index))
	})
	order = order[:s.size]
	slices.SortFunc(order, func(a, b ranked) int { return cmp.Compare(a.index, b.index) })
	chosen := make([]resolver.Endpoint, len(order))
	for i, r := range order {
		chosen[i] = all[r.index]
	}
	return chosen
}

// rank hashes the addresses of an endpoint.
func (c *chooser) rank(e resolver.Endpoint) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, a := range e.Addresses {
		_, _ = h.WriteString(strings.ToLower(a.Addr))
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// isDead reports whether every address of an endpoint is dead.
func (c *chooser) isDead(e resolver.Endpoint) bool {
	for _, a := range e.Addresses {
		if _, dead := c.dead[a.Addr]; !dead {
			return false
		}
	}
	return len(e.Addresses) > 0
}

// forget removes dead addresses that are no longer listed, and those that have been dead for so long that they may be
// tried again.
func (c *chooser) forget(all []resolver.Endpoint) {
	if len(c.dead) == 0 {
		return
	}
	listed := make(map[string]bool, len(all))
	for _, e := range all {
		for _, a := range e.Addresses {
			listed[a.Addr] = true
		}
	}
	for addr, since := range c.dead {
		if !listed[addr] || time.Since(since) >= deadMemory {
			delete(c.dead, addr)
		}
	}
}

// bury records that an address cannot be reached. It reports whether this was unknown before.
func (c *chooser) bury(addr string) bool {
	if since, known := c.dead[addr]; known && time.Since(since) < deadMemory {
		return false
	}
	c.dead[addr] = time.Now()
	return true
}
