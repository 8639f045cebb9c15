// Package discoverytest is the conformance suite for discovery drivers. It tests a driver against the specification in
// package driver, alone and with a discovery.Registry.
//
// If the engine runs in the process of the test, the suite runs in virtual time:
//
//	func TestConformance(t *testing.T) {
//		discoverytest.Run(t, func(t *testing.T) discoverytest.Harness { ... })
//	}
//
// If the driver connects to a real engine over sockets, use [RunLive] instead. A test that does not apply to the engine
// is skipped with the reason.
//
// The suite itself is tested with broken drivers. Each has one mistake, and the suite must find it.
package discoverytest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Harness is one engine, empty at first, with the functions by which the suite damages it. Every test gets its own
// Harness. The function that makes the Harness stops the engine with t.Cleanup.
type Harness struct {
	// Driver returns a new client of the engine. The suite closes it. Required.
	Driver func(t *testing.T) driver.Driver

	// Set replaces the instances of service in the engine, without a driver. It is required if the platform registers
	// instances, and must be nil otherwise: the driver must then announce them.
	Set func(t *testing.T, service string, list []driver.Instance)

	// Carried returns an instance with the fields that the engine supports. Nil means all fields.
	Carried func(in driver.Instance) driver.Instance

	// Valid reports whether the engine supports a service of that name. Nil means that it supports all names.
	Valid func(service string) bool

	// Many is the number of instances that the engine accepts from one client in a few seconds. 0 means 1,000.
	Many int

	// SetDown(t, true) closes the connections to the engine and refuses new ones. SetDown(t, false) ends this. Nil means
	// that the engine cannot be down.
	SetDown func(t *testing.T, down bool)
	// Kill ends the engine at once, as SIGKILL does, and starts it again with the data that it had. Nil means that the
	// engine has no process.
	Kill func(t *testing.T)
	// Freeze(t, true) makes the engine accept requests and answer none, as SIGSTOP does. Freeze(t, false) ends this. Nil
	// means that this is not possible.
	Freeze func(t *testing.T, frozen bool)
	// Delay delays every answer of the engine. Zero ends the delay. Nil means that this is not possible.
	Delay func(t *testing.T, delay time.Duration)
	// LoseLeases ends every lease as if its ttl had passed. Nil means that this is not possible.
	LoseLeases func(t *testing.T)
	// DeleteEntry removes an instance, like an operator who deletes it by mistake. Nil means that this is not possible.
	DeleteEntry func(t *testing.T, service, id string)
	// LoseHistory makes the engine forget past changes, as compaction does. Nil means that the engine has no history.
	LoseHistory func(t *testing.T)

	// TTL is the ttl of the announced instances.
	TTL time.Duration
	// Visible is the longest time between a change and the list that shows it.
	Visible time.Duration
	// Detect is the longest time between the loss of the engine or of a lease, and the driver's report of it.
	Detect time.Duration
}

// Skipped returns the tests that do not apply to the engine, each with the reason: "LeaseLossReported: the engine has
// no leases to lose".
func (h Harness) Skipped() []string {
	var skipped []string
	for _, c := range cases {
		if why := c.pointless(h); why != "" {
			skipped = append(skipped, c.name+": "+why)
		}
	}
	return skipped
}

// Run runs the suite in virtual time. NewHarness is called in a synctest bubble and must not use sockets or processes.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var pointless string
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				if pointless = c.pointless(h); pointless == "" {
					c.run(newLab(t, h))
				}
			})
			if pointless != "" {
				t.Skip(pointless) // a skip inside of the bubble is not shown outside
			}
		})
	}
}

// RunLive runs the suite in real time. Its tests run in parallel, because they wait most of the time. The engine must
// run in another process, because the suite looks for leaked goroutines in this process.
func RunLive(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			h := newHarness(t)
			if pointless := c.pointless(h); pointless != "" {
				t.Skip(pointless)
			}
			c.run(newLab(t, h))
		})
	}
}

// lab is one run of one test.
type lab struct {
	*testing.T
	h Harness

	ctx    context.Context // ends with the test
	writer driver.Driver   // announces for the test where Set does not
	leases map[[2]string]driver.Lease
	listed map[string][]driver.Instance
}

func newLab(t *testing.T, h Harness) *lab {
	if h.Driver == nil {
		t.Fatal("the Harness has no Driver")
	}
	l := &lab{
		T:      t,
		h:      h,
		ctx:    t.Context(),
		leases: make(map[[2]string]driver.Lease),
		listed: make(map[string][]driver.Instance),
	}
	if l.announces() {
		l.writer = l.driver()
	}
	return l
}

// driver returns a client of the engine, which is closed when the test ends.
func (l *lab) driver() driver.Driver {
	l.Helper()
	d := l.h.Driver(l.T)
	l.Cleanup(func() { l.close(d) })
	return d
}

func (l *lab) close(d driver.Driver) {
	l.Helper()
	if err := d.Close(); err != nil {
		l.Errorf("Close: %v", err)
	}
}

// many returns how many instances to try, at most n.
func (l *lab) many(n int) int {
	if l.h.Many > 0 {
		return min(n, l.h.Many)
	}
	return n
}

// announces reports whether instances register themselves.
func (l *lab) announces() bool { return l.h.Set == nil }

// patience is the longest wait for a condition that must become true eventually.
func (l *lab) patience() time.Duration { return 2*l.h.TTL + l.h.Detect + l.h.Visible + 10*time.Second }

// pass waits.
func (l *lab) pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// carried returns instances with the fields that the engine supports.
func (l *lab) carried(list ...driver.Instance) []driver.Instance {
	if l.h.Carried == nil {
		return list
	}
	kept := make([]driver.Instance, 0, len(list))
	for _, in := range list {
		kept = append(kept, l.h.Carried(in))
	}
	return kept
}
