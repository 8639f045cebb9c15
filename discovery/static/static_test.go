package static_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMistakesAreNamedTogether(t *testing.T) {
	_, err := static.New(map[string][]string{
		"payments": {"10.0.0.7:8443", "10.0.0.8", "10.0.0.7:8443"},
		"or/ders":  {"10.0.0.9:8443"},
		"users":    {":8443", "host:", "[::1]:8443"},
	})
	if err == nil {
		t.Fatal("New returns nil")
	}
	for _, want := range []string{
		`service "payments": address "10.0.0.8": want host:port`,
		`service "payments": instance "10.0.0.7:8443" is listed twice`,
		`service name "or/ders"`,
		`service "users": address ":8443"`,
		`service "users": address "host:"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant it to say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "[::1]") {
		t.Errorf("%v\nwant nothing about a good address", err)
	}
}

func TestReplaceWithMistakesChangesNothing(t *testing.T) {
	d, err := static.New(map[string][]string{"payments": {"10.0.0.7:8443"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(map[string][]string{"payments": {"nowhere"}}); err == nil {
		t.Fatal("Replace returns nil")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var listed []driver.Instance
	if err := d.Watch(ctx, "payments", func(list []driver.Instance) {
		listed = list
		cancel()
	}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0].ID != "10.0.0.7:8443" {
		t.Errorf("listed are %+v; want the one from before", listed)
	}
}

func TestInstancesKeepWhatIsKnownOfThem(t *testing.T) {
	in := driver.Instance{
		Service:   "payments",
		Addresses: []string{"10.0.0.7:8443", "[2001:db8::7]:8443"},
		Zone:      "b",
		Weight:    3,
	}
	if _, err := static.NewInstances(in, in); err == nil || !strings.Contains(err.Error(), "listed twice") {
		t.Errorf("NewInstances with one twice: %v", err)
	}
	if _, err := static.NewInstances(driver.Instance{Service: "payments", ID: "x"}); err == nil ||
		!strings.Contains(err.Error(), "no address") {
		t.Errorf("NewInstances without an address: %v", err)
	}
}
