package descriptors

import (
	"math"
	"testing"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		limit   uint64
		limited bool
		want    int
	}{
		{1024, true, 256},
		{256, true, 64},
		{4000, true, 1000},
		{3999, true, 999},
		{20, true, 16},
		{0, true, 16},
		{1 << 20, true, 1000},
		{math.MaxUint64, true, 1000}, // RLIM_INFINITY
		{0, false, 1000},
	} {
		if got := share(1000, c.limit, c.limited); got != c.want {
			t.Errorf("of %d (limited %v): %d, want %d", c.limit, c.limited, got, c.want)
		}
	}
	if got := Share(8); got != 8 {
		t.Errorf("the share of this process is %d, want 8", got)
	}
}
