package discoverytest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// newHarness returns the functions with which the suite makes clients of the engine and damages the engine. The test of
// a driver passes it to Run:
//
//	func TestConformance(t *testing.T) { discoverytest.Run(t, newHarness) }
func newHarness(*testing.T) discoverytest.Harness {
	engine := mem.New()
	return discoverytest.Harness{
		Driver:     func(*testing.T) driver.Driver { return engine.Driver() },
		SetDown:    func(_ *testing.T, down bool) { engine.SetDown(down) },
		Kill:       func(*testing.T) { engine.SetDown(true); engine.SetDown(false) },
		Freeze:     func(_ *testing.T, frozen bool) { engine.SetFrozen(frozen) },
		Delay:      func(_ *testing.T, delay time.Duration) { engine.SetDelay(delay) },
		LoseLeases: func(*testing.T) { engine.LoseLeases() },
		TTL:        2 * time.Second,
		Visible:    time.Millisecond,
		Detect:     time.Second + time.Millisecond,
	}
}

// If the harness cannot damage the engine in some way, the tests that need it are skipped, and Skipped lists them.
func ExampleHarness_Skipped() {
	for _, test := range newHarness(nil).Skipped() {
		fmt.Println(test)
	}
	// Output:
	// HistoryLossReported: the engine has no history to lose
	// DeletedEntryReRegisters: an entry of the engine cannot be deleted
	// WatchResumesAfterHistoryLoss: the engine has no history to lose
}
