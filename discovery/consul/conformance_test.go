package consul_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/consul"
	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
)

func TestConformance(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
		a := newAgent(t)
		return discoverytest.Harness{
			Driver:      func(t *testing.T) driver.Driver { return open(t, a) },
			SetDown:     func(_ *testing.T, down bool) { a.setDown(down) },
			Kill:        func(*testing.T) { a.kill() },
			Freeze:      func(_ *testing.T, frozen bool) { a.setFrozen(frozen) },
			Delay:       func(_ *testing.T, delay time.Duration) { a.setDelay(delay) },
			LoseLeases:  func(*testing.T) { a.loseLeases() },
			DeleteEntry: func(*testing.T, string, string) { a.loseLeases() },
			LoseHistory: func(*testing.T) { a.loseHistory() },
			TTL:         2 * time.Second,
			Visible:     300 * time.Millisecond,
			Detect:      11 * time.Second,
		}
	})
}

func open(t testing.TB, a *agent) *consul.Driver {
	t.Helper()
	d, err := consul.New(consul.Config{Address: "agent:8500", Dial: a.dial, Token: a.token})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
