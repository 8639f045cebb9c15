package shares_test

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/shares"
)

// However many owners take all that they get, one that comes new has room, and the table never holds more than its
// size.
func TestNobodysExcessIsAnothersRefusal(t *testing.T) {
	for _, most := range []int{0, 256} {
		table := shares.NewTable[int](4096, most)
		used := 0
		for owner := range 8 {
			held := 0
			for table.Take(owner) == nil {
				held++
			}
			if held == 0 {
				t.Errorf("most %d: owner %d has no room", most, owner)
			}
			if most > 0 && held > most {
				t.Errorf("owner %d holds %d", owner, held)
			}
			if used += held; used > 4096 {
				t.Errorf("%d of 4096 are used", used)
			}
			if err := table.Take(owner); !errors.Is(err, shares.ErrShare) {
				t.Errorf("owner %d: %v", owner, err)
			}
		}
		for range 100 {
			table.Give(0)
		}
		if err := table.Take(100); err != nil {
			t.Errorf("after entries were given back: %v", err)
		}
	}
}

// Entries that come and go among busy owners settle at equal shares.
func TestBusyOwnersGetEqualShares(t *testing.T) {
	const size, owners = 1000, 4
	table := shares.NewTable[int](size, 0)
	var queue []int
	for round := range 100 * size {
		if owner := round % owners; table.Take(owner) == nil {
			queue = append(queue, owner)
		}
		if round%2 == 0 && len(queue) > size/2 {
			table.Give(queue[0])
			queue = queue[1:]
		}
	}
	held := map[int]int{}
	for _, owner := range queue {
		held[owner]++
	}
	for owner := range owners {
		if held[owner] < size/(owners+1)/2 {
			t.Errorf("owner %d holds %d of %d", owner, held[owner], size)
		}
	}
}

func TestAFullTable(t *testing.T) {
	table := shares.NewTable[int](1, 1)
	if err := table.Take(1); err != nil {
		t.Fatal(err)
	}
	if err := table.Take(2); !errors.Is(err, shares.ErrFull) {
		t.Error(err)
	}
	table.Give(1)
	if err := table.Take(2); err != nil {
		t.Error(err)
	}
}

func TestMeter(t *testing.T) {
	m := shares.NewMeter[string](50, 50)
	now := time.Unix(1e9, 0)
	for n := range 50 {
		if ok, _ := m.Take("a", now); !ok {
			t.Fatalf("number %d of the burst", n)
		}
	}
	if ok, wait := m.Take("a", now); ok || wait != 20*time.Millisecond {
		t.Errorf("after the burst: %v, %v", ok, wait)
	}
	if ok, _ := m.Take("b", now); !ok {
		t.Error("another owner is refused")
	}
	if ok, _ := m.Take("a", now.Add(20*time.Millisecond)); !ok {
		t.Error("20 ms later it is refused")
	}
}

// Only owners that could not do a full burst are remembered.
func TestMeterForgets(t *testing.T) {
	m := shares.NewMeter[int](1, 1)
	now := time.Unix(1e9, 0)
	for n := range 5000 {
		m.Take(n, now)
	}
	now = now.Add(time.Second)
	for n := range 11_000 {
		m.Take(n, now)
		now = now.Add(time.Second)
	}
	if m.Owners() > 1024 {
		t.Errorf("%d owners are remembered", m.Owners())
	}
}
