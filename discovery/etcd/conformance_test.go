package etcd_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/etcd"
)

func TestConformance(t *testing.T) {
	discoverytest.RunLive(t, func(t *testing.T) discoverytest.Harness {
		engine := newEngine(t)
		proxy := discoverytest.NewProxy(t, engine.settings.Client)
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				d, err := etcd.Open("etcd://" + proxy.Addr() + "/test")
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			SetDown:     func(_ *testing.T, down bool) { proxy.SetDown(down) },
			Kill:        func(t *testing.T) { engine.kill(t) },
			Freeze:      func(_ *testing.T, frozen bool) { proxy.SetFrozen(frozen) },
			Delay:       func(_ *testing.T, delay time.Duration) { proxy.SetDelay(delay) },
			LoseLeases:  func(t *testing.T) { engine.loseLeases(t) },
			DeleteEntry: func(t *testing.T, service, id string) { engine.remove(t, "test/"+service+"/"+id) },
			LoseHistory: func(t *testing.T) { engine.compact(t) },
			TTL:         2 * time.Second,
			Visible:     time.Second,
			Detect:      8 * time.Second,
		}
	})
}
