package static_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/static"
)

func TestConformance(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Harness {
		drivers := make(map[*static.Driver]bool)
		services := make(map[string][]driver.Instance)
		everything := func() []driver.Instance {
			return slices.Concat(slices.Collect(maps.Values(services))...)
		}
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				d, err := static.NewInstances(everything()...)
				if err != nil {
					t.Fatal(err)
				}
				drivers[d] = true
				return d
			},
			Set: func(t *testing.T, service string, list []driver.Instance) {
				services[service] = list
				for d := range drivers {
					if err := d.ReplaceInstances(everything()...); err != nil {
						t.Fatal(err)
					}
				}
			},
			TTL:     2 * time.Second,
			Visible: time.Millisecond,
			Detect:  time.Millisecond,
		}
	})
}
