package kubernetes_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/kubernetes"
)

// follow watches a service for a time. It returns the lists that it received, and the final error.
func follow(t *testing.T, d driver.Driver, service string, limit time.Duration) ([][]driver.Instance, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var lists [][]driver.Instance
	err := d.Watch(ctx, service, func(list []driver.Instance) { lists = append(lists, list) })
	return lists, err
}

// slice is a slice of payments in shop with one port.
func slice(name string, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:      name,
			Namespace: "shop",
			Labels:    map[string]string{discoveryv1.LabelServiceName: "payments"},
		},
		Ports:     []discoveryv1.EndpointPort{{Port: new(int32(8443))}},
		Endpoints: endpoints,
	}
}

// pod returns an endpoint of a pod. A condition may be nil.
func pod(name, address string, ready, serving, terminating *bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses:  []string{address},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: name},
		Conditions: discoveryv1.EndpointConditions{Ready: ready, Serving: serving, Terminating: terminating},
	}
}

func zoned(e discoveryv1.Endpoint, zone string, hints ...string) discoveryv1.Endpoint {
	e.Zone = new(zone)
	if len(hints) > 0 {
		e.Hints = &discoveryv1.EndpointHints{}
		for _, h := range hints {
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: h})
		}
	}
	return e
}

// The table shows which instances the slices of a service result in. A list is written as its IDs. A draining instance
// has a minus in front.
func TestSlices(t *testing.T) {
	yes, no := new(true), new(false)
	ready := func(name, address string) discoveryv1.Endpoint { return pod(name, address, yes, yes, no) }
	named := func(s discoveryv1.EndpointSlice, ports ...discoveryv1.EndpointPort) discoveryv1.EndpointSlice {
		s.Ports = ports
		return s
	}
	for _, tt := range []struct {
		name  string
		zone  string
		parts []discoveryv1.EndpointSlice
		want  []string
	}{
		{
			"all slices count", "",
			[]discoveryv1.EndpointSlice{slice("1", ready("a", "10.0.0.1")), slice("2", ready("b", "10.0.0.2"))},
			[]string{"a", "b"},
		},
		{
			"a slice without endpoints adds nothing", "",
			[]discoveryv1.EndpointSlice{slice("1", ready("a", "10.0.0.1")), slice("2")},
			[]string{"a"},
		},
		{
			"endpoints that are not ready are left out", "",
			[]discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", no, no, no), ready("b", "10.0.0.2"))},
			[]string{"b"},
		},
		{
			"also when it serves, as readiness decides", "",
			[]discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", no, yes, no))},
			nil,
		},
		{
			"an endpoint that terminates and serves is draining", "",
			[]discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", no, yes, yes))},
			[]string{"-a"},
		},
		{
			"an endpoint that terminates and does not serve is left out", "",
			[]discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", no, no, yes))},
			nil,
		},
		{
			"unknown conditions mean ready", "",
			[]discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", nil, nil, nil))},
			[]string{"a"},
		},
		{"unknown serving is as ready", "", []discoveryv1.EndpointSlice{slice("1", pod("a", "10.0.0.1", no, nil, yes))}, nil},
		{
			"the named port of several", "",
			[]discoveryv1.EndpointSlice{named(
				slice("1", ready("a", "10.0.0.1")),
				discoveryv1.EndpointPort{Name: new("http"), Port: new(int32(80))},
				discoveryv1.EndpointPort{Name: new("grpc"), Port: new(int32(8443))},
			)},
			[]string{"a"},
		},
		{
			"several ports, and none has the configured name", "",
			[]discoveryv1.EndpointSlice{named(
				slice("1", ready("a", "10.0.0.1")),
				discoveryv1.EndpointPort{Name: new("http"), Port: new(int32(80))},
				discoveryv1.EndpointPort{Port: new(int32(81))},
			)},
			nil,
		},
		{"an endpoint without an address", "", []discoveryv1.EndpointSlice{slice("1", discoveryv1.Endpoint{})}, nil},
		{
			"an endpoint that is not a pod", "",
			[]discoveryv1.EndpointSlice{slice("1", discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}})},
			[]string{"10.0.0.1:8443"},
		},
		{"hints for the zone of the program", "a", []discoveryv1.EndpointSlice{
			slice("1", zoned(ready("a", "10.0.0.1"), "a", "a")), slice("2", zoned(ready("b", "10.0.0.2"), "b", "b")),
		}, []string{"a"}},
		{
			"hints for several zones", "a",
			[]discoveryv1.EndpointSlice{slice(
				"1", zoned(ready("a", "10.0.0.1"), "b", "a", "b"), zoned(ready("b", "10.0.0.2"), "b", "b"),
			)},
			[]string{"a"},
		},
		{
			"hints without a zone", "",
			[]discoveryv1.EndpointSlice{slice(
				"1", zoned(ready("a", "10.0.0.1"), "a", "a"), zoned(ready("b", "10.0.0.2"), "b", "b"),
			)},
			[]string{"a", "b"},
		},
		{
			"hints that one endpoint lacks", "a",
			[]discoveryv1.EndpointSlice{slice("1", zoned(ready("a", "10.0.0.1"), "a", "a"), zoned(ready("b", "10.0.0.2"), "b"))},
			[]string{"a", "b"},
		},
		{
			"hints for other zones alone", "c",
			[]discoveryv1.EndpointSlice{slice(
				"1", zoned(ready("a", "10.0.0.1"), "a", "a"), zoned(ready("b", "10.0.0.2"), "b", "b"),
			)},
			[]string{"a", "b"},
		},
		{"hints for one that drains alone", "a", []discoveryv1.EndpointSlice{
			slice("1", zoned(pod("a", "10.0.0.1", no, yes, yes), "a", "a"), zoned(ready("b", "10.0.0.2"), "b", "b")),
		}, []string{"-a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				for _, s := range tt.parts {
					c.put(s)
				}
				d := open(t, kubernetes.Config{Client: c, Namespace: "shop", Zone: tt.zone})
				lists, err := follow(t, d, "payments", time.Second)
				if !errors.Is(err, context.DeadlineExceeded) || len(lists) != 1 {
					t.Fatalf("%d lists, %v", len(lists), err)
				}
				var got []string
				for _, in := range lists[0] {
					if in.Draining {
						in.ID = "-" + in.ID
					}
					got = append(got, in.ID)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("listed are %v; want %v", got, tt.want)
				}
			})
		})
	}
}

func TestOneInstanceInTwoSlicesHasBothAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.put(slice("v4", zoned(pod("a", "10.0.0.1", new(true), nil, nil), "z")))
		c.put(slice("v6", pod("a", "2001:db8::1", new(true), nil, nil)))
		lists, _ := follow(t, open(t, kubernetes.Config{Client: c, Namespace: "shop"}), "payments", time.Second)
		want := driver.Instance{
			ID:        "a",
			Service:   "payments",
			Addresses: []string{"10.0.0.1:8443", "[2001:db8::1]:8443"},
			Zone:      "z",
			Metadata:  map[string]string{"pod": "a"},
		}
		if len(lists) != 1 || len(lists[0]) != 1 || !lists[0][0].Equal(want) {
			t.Errorf("listed are %+v; want %+v", lists, want)
		}
	})
}

// A pod of a StatefulSet comes back under its name while the former one still terminates: these are two instances.
func TestAPodThatComesBackUnderItsNameIsAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := pod("db-0", "10.0.0.1", new(false), new(true), new(true))
		former.TargetRef.UID = "6f1c"
		fresh := pod("db-0", "10.0.0.2", new(true), new(true), new(false))
		fresh.TargetRef.UID = "a2d9"
		c := newCluster()
		c.put(slice("1", former, fresh))
		lists, _ := follow(t, open(t, kubernetes.Config{Client: c, Namespace: "shop"}), "payments", time.Second)
		if len(lists) != 1 || len(lists[0]) != 2 {
			t.Fatalf("listed are %+v; want two instances", lists)
		}
		for _, in := range lists[0] {
			was := in.ID == "6f1c" && in.Draining && in.Addresses[0] == "10.0.0.1:8443"
			is := in.ID == "a2d9" && !in.Draining && in.Addresses[0] == "10.0.0.2:8443"
			if !was && !is || len(in.Addresses) != 1 || in.Metadata["pod"] != "db-0" {
				t.Errorf("listed is %+v; want the former one draining, and the new one, each with its address", in)
			}
		}
	})
}

// The next watch goes on where the last one ended, without another list.
func TestWatchesFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		d := open(t, kubernetes.Config{Client: c, Namespace: "shop", Check: time.Hour})
		time.AfterFunc(50*time.Minute, func() { c.put(slice("1", pod("a", "10.0.0.1", nil, nil, nil))) })
		lists, err := follow(t, d, "payments", time.Hour)
		if !errors.Is(err, context.DeadlineExceeded) || len(lists) != 2 || len(lists[1]) != 1 {
			t.Errorf("%v after the lists %+v; want an empty one and one of one", err, lists)
		}
		if c.lists != 1 || len(c.asked) < 10 {
			t.Errorf("%d lists and %d watches in an hour; want one list, and a watch every 5 minutes", c.lists, len(c.asked))
		}
	})
}

func TestAnotherNamespaceIsNamedBehindADot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.put(slice("1", pod("a", "10.0.0.1", nil, nil, nil)))
		d := open(t, kubernetes.Config{Client: c, Namespace: "bank"})
		for service, want := range map[string]int{"payments": 0, "payments.shop": 1, "payments.bank": 0} {
			if lists, _ := follow(t, d, service, time.Second); len(lists) != 1 || len(lists[0]) != want ||
				want > 0 && lists[0][0].Service != service {
				t.Errorf("%s: %+v; want %d instances", service, lists, want)
			}
		}
		for _, service := range []string{"Payments", "payments_", "payments.shop.svc", ".shop"} {
			if _, err := follow(t, d, service, time.Second); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v; want it refused", service, err)
			}
		}
	})
}
