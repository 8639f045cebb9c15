package replays_test

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/replays"
	"github.com/parley-rpc/parley/internal/shares"
)

func TestAUseIsRememberedForItsLife(t *testing.T) {
	m := replays.New[string, string](time.Minute, 4)
	began := time.Unix(1e9, 0)
	for _, step := range []struct {
		after time.Duration
		name  string
		fresh bool
		err   error
	}{
		{0, "a", true, nil},
		{0, "a", false, nil},
		{30 * time.Second, "b", true, nil},
		{30 * time.Second, "c", false, shares.ErrShare},
		{30 * time.Second, "b", false, nil}, // known, however full it is
		{time.Minute - 1, "a", false, nil},
		{time.Minute, "c", true, nil}, // a is over
		{time.Minute, "a", false, shares.ErrShare},
		{90 * time.Second, "a", true, nil},
	} {
		fresh, err := m.Use("orders", step.name, began.Add(step.after))
		if fresh != step.fresh || !errors.Is(err, step.err) {
			t.Errorf("%s after %v: fresh %v, %v", step.name, step.after, fresh, err)
		}
	}
}

// One owner cannot take the room of another, and one's name is not the other's.
func TestAnOwnerFillsNoMoreThanItsShare(t *testing.T) {
	m := replays.New[string, int](time.Minute, 1000)
	now := time.Unix(1e9, 0)
	taken := 0
	for n := range 2000 {
		if fresh, _ := m.Use("insider", n, now); fresh {
			taken++
		}
	}
	if taken != 500 {
		t.Errorf("one owner alone has %d of 1000", taken)
	}
	for n := range 250 {
		if fresh, err := m.Use("orders", n, now); !fresh {
			t.Fatalf("use %d of another owner: %v", n, err)
		}
	}
}
