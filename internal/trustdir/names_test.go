package trustdir_test

import (
	"errors"
	"testing"

	"github.com/parley-rpc/parley/internal/trustdir"
)

// Whose keys the directory holds, those that are not trusted any more among them.
func TestNames(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	s.put(orders, key)
	d := s.checked()
	for name, test := range map[string]struct {
		id   string
		want bool
	}{"published": {orders, true}, "another": {payments, false}, "of another domain": {"spiffe://other/orders", false}} {
		if named, err := d.Names(test.id); err != nil || named != test.want {
			t.Errorf("%s: %v, %v", name, named, err)
		}
	}
	s.write("revoked/"+key.Thumbprint(), "")
	s.must(d.Check())
	if named, err := d.Names(orders); err != nil || !named {
		t.Errorf("a workload whose key is revoked is free to be named by others: %v, %v", named, err)
	}
	s.must(d.Close())
	if _, err := d.Names(payments); !errors.Is(err, trustdir.ErrUnavailable) {
		t.Errorf("a closed directory: %v", err)
	}
	if _, err := s.open().Names(payments); !errors.Is(err, trustdir.ErrUnavailable) {
		t.Errorf("a directory that was never read: %v", err)
	}
}
