package dns_test

import (
	"net"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/dns"
	"github.com/parley-rpc/parley/discovery/driver"
)

func TestConformance(t *testing.T) {
	const interval = time.Second
	discoverytest.Run(t, func(*testing.T) discoverytest.Harness {
		z := newZone()
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				d, err := dns.New("{service}.example.com:8443", dns.WithLookup(z), dns.WithInterval(interval))
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			Set: func(t *testing.T, service string, list []driver.Instance) {
				var addresses []string
				for _, in := range list {
					host, _, err := net.SplitHostPort(in.Addresses[0])
					if err != nil {
						t.Fatal(err)
					}
					addresses = append(addresses, host)
				}
				z.host(service+".example.com", addresses...)
			},
			Carried: func(in driver.Instance) driver.Instance {
				return driver.Instance{ID: in.Addresses[0], Service: in.Service, Addresses: in.Addresses[:1]}
			},
			SetDown: func(_ *testing.T, down bool) {
				if down {
					z.fail(&net.DNSError{Err: "server misbehaving", IsTemporary: true})
				} else {
					z.fail(nil)
				}
			},
			TTL:     2 * time.Second,
			Visible: 2 * interval,
			Detect:  2 * interval,
		}
	})
}
