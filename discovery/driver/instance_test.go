package driver_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parley-rpc/parley/discovery/driver"
)

func full() driver.Instance {
	return driver.Instance{
		ID: "a", Service: "payments", Addresses: []string{"a:1", "b:1"}, Zone: "z", Weight: 3, Draining: true, Version: "v1",
		Metadata: map[string]string{"k": "v"},
	}
}

func TestInstancesDifferInAnyField(t *testing.T) {
	if !full().Equal(full()) || !full().Clone().Equal(full()) {
		t.Error("an instance does not equal itself")
	}
	for field, change := range map[string]func(*driver.Instance){
		"ID":        func(in *driver.Instance) { in.ID = "b" },
		"Service":   func(in *driver.Instance) { in.Service = "orders" },
		"Addresses": func(in *driver.Instance) { in.Addresses[1] = "c:1" },
		"Zone":      func(in *driver.Instance) { in.Zone = "" },
		"Weight":    func(in *driver.Instance) { in.Weight = 0 },
		"Draining":  func(in *driver.Instance) { in.Draining = false },
		"Version":   func(in *driver.Instance) { in.Version = "v2" },
		"Metadata":  func(in *driver.Instance) { in.Metadata["k"] = "w" },
	} {
		other := full()
		change(&other)
		if other.Equal(full()) {
			t.Errorf("a change of %s goes unnoticed", field)
		}
	}
	if n := reflect.TypeFor[driver.Instance]().NumField(); n != 8 {
		t.Errorf("an Instance has %d fields; this test knows 8", n)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	in := full()
	clone := in.Clone()
	clone.Addresses[0], clone.Metadata["k"] = "x:1", "x"
	if !in.Equal(full()) {
		t.Errorf("a change of the clone changed the original to %+v", in)
	}
}

func FuzzCheckService(f *testing.F) {
	for _, name := range []string{
		"payments", "shop.payments.v1.Payments", "a-b_c", "", ".", "..", "a/b", "a b", "ä", "a\x00",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := driver.CheckService(name)
		good := name != "" && strings.Trim(name, ".") != "" && utf8.ValidString(name) &&
			strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
		for _, r := range name {
			good = good && r < utf8.RuneSelf && r != '/' && r > ' '
		}
		if err == nil && !good {
			t.Errorf("%q is accepted", name)
		}
	})
}
