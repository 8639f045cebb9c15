package auth_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/parley-rpc/parley/interceptors/auth"
)

// A length that is out of bounds is refused before anything is made for it.
func TestLengthIsCheckedBeforeAllocation42And66(t *testing.T) {
	huge := []byte{serverHello, 0xff, 0xff, 0xff}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, _, err := auth.ReadServerHello(bytes.NewReader(huge)); err == nil {
			t.Fatal("16 MiB were taken")
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("100 refusals took %d bytes", grown)
	}
}
