package auth_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/principal"
)

// A pointer to an ID is a Pattern too, and may be nil: a mistake that Check reports, and no panic.
func TestANilIDIsNoExpectedServer(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders")
	err := w.identity("orders").Channel([]principal.Pattern{(*principal.ID)(nil)}).Check()
	if err == nil || !strings.Contains(err.Error(), "is no ID") {
		t.Errorf("Check = %v", err)
	}
}
