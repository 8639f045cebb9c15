package mem_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func TestConformance(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Harness {
		engine := mem.New()
		return discoverytest.Harness{
			Driver:  func(*testing.T) driver.Driver { return engine.Driver() },
			SetDown: func(_ *testing.T, down bool) { engine.SetDown(down) },
			Kill: func(*testing.T) {
				engine.SetDown(true)
				engine.SetDown(false)
			},
			Freeze:      func(_ *testing.T, frozen bool) { engine.SetFrozen(frozen) },
			Delay:       func(_ *testing.T, delay time.Duration) { engine.SetDelay(delay) },
			LoseLeases:  func(*testing.T) { engine.LoseLeases() },
			DeleteEntry: func(_ *testing.T, service, id string) { engine.DeleteEntry(service, id) },
			LoseHistory: func(*testing.T) { engine.LoseHistory() },
			TTL:         2 * time.Second,
			Visible:     time.Millisecond,
			Detect:      time.Second + time.Millisecond,
		}
	})
}
