package kubernetes_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/kubernetes"
)

func TestConformance(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Harness {
		c := newCluster()
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				return open(t, kubernetes.Config{Client: c, Namespace: "shop", Check: 2 * time.Second})
			},
			Set: func(t *testing.T, service string, list []driver.Instance) {
				for _, s := range spread(t, service, list) {
					c.put(s)
				}
			},
			Carried: func(in driver.Instance) driver.Instance {
				return driver.Instance{
					ID:        in.Addresses[0],
					Service:   in.Service,
					Addresses: in.Addresses[:1],
					Zone:      in.Zone,
					Draining:  in.Draining,
				}
			},
			Valid:   func(service string) bool { return !strings.ContainsAny(service, "._") },
			SetDown: func(_ *testing.T, down bool) { c.setDown(down) },
			Kill: func(*testing.T) {
				c.setDown(true)
				c.setDown(false)
			},
			Freeze:      func(_ *testing.T, frozen bool) { c.setFrozen(frozen) },
			Delay:       func(_ *testing.T, delay time.Duration) { c.setDelay(delay) },
			LoseHistory: func(*testing.T) { c.compact() },
			TTL:         2 * time.Second,
			Visible:     time.Millisecond,
			Detect:      8 * time.Second,
		}
	})
}

func open(t testing.TB, config kubernetes.Config) *kubernetes.Driver {
	t.Helper()
	d, err := kubernetes.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spread puts the instances of a service into two slices, as Kubernetes spreads large services over many.
func spread(t testing.TB, service string, list []driver.Instance) []discoveryv1.EndpointSlice {
	t.Helper()
	parts := make([]discoveryv1.EndpointSlice, 2)
	for i := range parts {
		parts[i] = discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Name: fmt.Sprint(
					service,
					"-",
					i,
				), Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: service},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(8443))}},
		}
	}
	for i, in := range list {
		host, port, err := net.SplitHostPort(in.Addresses[0])
		if err != nil || port != strconv.Itoa(8443) {
			t.Fatalf("address %q: %v", in.Addresses[0], err)
		}
		e := discoveryv1.Endpoint{
			Addresses: []string{host},
			Conditions: discoveryv1.EndpointConditions{
				Ready:       new(!in.Draining),
				Serving:     new(true),
				Terminating: new(in.Draining),
			},
		}
		if in.Zone != "" {
			e.Zone = new(in.Zone)
		}
		parts[i%2].Endpoints = append(parts[i%2].Endpoints, e)
	}
	return parts
}
