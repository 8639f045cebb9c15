// Package discoverytest is the conformance suite for drivers of discovery: it checks a driver against the specification
// in package driver, alone and below a discovery.Registry.
//
// A driver whose engine lives in the test's own process runs in virtual time:
//
//	func TestConformance(t *testing.T) {
//		discoverytest.Run(t, func(t *testing.T) discoverytest.Harness { ... })
//	}
//
// One that talks to a real engine over sockets runs with [RunLive] instead. A test that the engine makes pointless is
// skipped and says why.
//
// The suite itself is tested by drivers that are broken in one way each, every one of which it must refuse.
package discoverytest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
)

// Harness is one engine, empty at first, and what the suite may do to it. Every test gets a Harness of its own; the
// function that makes it registers with t.Cleanup what ends it.
type Harness struct {
	// Driver makes a new client of the engine. The suite closes it. Required.
	Driver func(t *testing.T) driver.Driver

	// Set makes list everything that the engine lists for service, behind the back of all drivers. It is required where
	// the platform registers instances, and there alone: a driver whose Harness has no Set must announce them.
	Set func(t *testing.T, service string, list []driver.Instance)

	// Carried returns what the engine can carry of an instance. Nil means everything.
	Carried func(in driver.Instance) driver.Instance

	// Valid reports whether the engine can hold a service of that name. Nil means that it can hold all.
	Valid func(service string) bool

	// Many is how many instances the engine can take from one client in a few seconds. 0 means 1,000.
	Many int

	// SetDown cuts the connections to the engine and refuses new ones, or ends that. Nil means that the engine cannot
	// be down.
	SetDown func(t *testing.T, down bool)
	// Kill ends the engine at once, as SIGKILL does, and starts it again with the data that it had. Nil means that the
	// engine has no process.
	Kill func(t *testing.T)
	// Freeze makes the engine accept everything and answer nothing, as SIGSTOP does, or ends that. Nil means that it
	// cannot be done.
	Freeze func(t *testing.T, frozen bool)
	// Delay makes every answer of the engine come that much later; zero ends that. Nil means that it cannot be done.
	Delay func(t *testing.T, delay time.Duration)
	// LoseLeases ends every lease as if its ttl had passed. Nil means that it cannot be done.
	LoseLeases func(t *testing.T)
	// DeleteEntry removes an instance as an operator would by mistake. Nil means that it cannot be done.
	DeleteEntry func(t *testing.T, service, id string)
	// LoseHistory makes the engine forget past changes, as compaction does. Nil means that it has no history.
	LoseHistory func(t *testing.T)

	// TTL is the ttl to announce with.
	TTL time.Duration
	// Visible bounds the time between a change and the list that shows it.
	Visible time.Duration
	// Detect bounds the time between the loss of the engine, or of a lease, and the driver's word on it.
	Detect time.Duration
}

// Skipped returns the tests that the Harness makes pointless, each with the reason: "LeaseLossReported: the engine has
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

// Run runs the suite in virtual time. Everything that newHarness makes must live in the bubble that it is called in: no
// sockets, no processes.
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
				t.Skip(pointless) // what is skipped inside the bubble does not show outside
			}
		})
	}
}

// RunLive runs the suite in real time, and its tests side by side, because they wait most of the time. The engine must
// be another process: what is left of a driver is found among the goroutines of this one.
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

// driver makes a client of the engine that is closed with the test.
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

// patience bounds waits for something that must come about in the end.
func (l *lab) patience() time.Duration { return 2*l.h.TTL + l.h.Detect + l.h.Visible + 10*time.Second }

// pass lets time go by.
func (l *lab) pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// carried returns what the engine can carry of instances.
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
