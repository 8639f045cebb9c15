package discovery_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// counted is a driver that counts the requests to its engine, in slices of 100ms.
type counted struct {
	driver.Driver
	traffic *traffic
}

type traffic struct {
	mu     sync.Mutex
	since  time.Time
	slices map[time.Duration]int
}

func (c *traffic) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slices[time.Since(c.since).Truncate(100*time.Millisecond)]++
}

func (c *traffic) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.slices = time.Now(), make(map[time.Duration]int)
}

// peak returns the most that was asked within 100ms, and everything.
func (c *traffic) peak() (most, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.slices {
		most, all = max(most, n), all+n
	}
	return most, all
}

func (d counted) Announce(ctx context.Context, in discovery.Instance, ttl time.Duration) (driver.Lease, error) {
	d.traffic.count()
	return d.Driver.Announce(ctx, in, ttl)
}

func (d counted) Watch(ctx context.Context, service string, emit func([]discovery.Instance)) error {
	d.traffic.count()
	return d.Driver.Watch(ctx, service, emit)
}

// Many processes that lose the engine in the same instant are all back within five seconds, and do not come back in the
// same instant.
func TestManyClientsComeBackSpreadOut(t *testing.T) {
	const clients = 1000
	for _, tt := range []struct {
		name   string
		damage func(*mem.Engine)
		most   int // within 100ms
	}{
		{"every lease ends at once", (*mem.Engine).LoseLeases, clients / 5},
		{"the engine is gone for a minute", func(e *mem.Engine) {
			e.SetDown(true)
			time.Sleep(time.Minute)
			e.SetDown(false)
		}, clients / 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine, traffic := mem.New(), new(traffic)
				traffic.reset()
				regs := make([]*discovery.Registration, 0, clients)
				for i := range clients {
					r := open(t, counted{engine.Driver(), traffic}, discovery.WithTTL(10*time.Second))
					regs = append(regs, r.Register(t.Context(), one(fmt.Sprintf("%04d", i))))
				}
				synctest.Wait()
				traffic.reset()
				tt.damage(engine)
				traffic.reset()
				time.Sleep(5 * time.Second)
				for _, reg := range regs {
					if !reg.Registered() {
						t.Fatalf("after 5s: %v", reg.Err())
					}
				}
				most, all := traffic.peak()
				if all != clients {
					t.Errorf("%d clients asked %d times; want once each", clients, all)
				}
				if most > tt.most {
					t.Errorf("%d of %d clients came within 100ms; want at most %d", most, clients, tt.most)
				}
				t.Logf("at most %d of %d requests within 100ms", most, clients)
			})
		})
	}
}
