package replays_test

import (
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/replays"
)

func TestAUseIsRememberedForItsLife(t *testing.T) {
	m := replays.New[string](time.Minute, 2)
	began := time.Unix(1e9, 0)
	for _, step := range []struct {
		after       time.Duration
		name        string
		fresh, full bool
	}{
		{0, "a", true, false},
		{0, "a", false, false},
		{30 * time.Second, "b", true, false},
		{30 * time.Second, "c", false, true},
		{30 * time.Second, "b", false, false}, // known, however full it is
		{time.Minute - 1, "a", false, false},
		{time.Minute, "c", true, false}, // a is over
		{time.Minute, "a", false, true},
		{90 * time.Second, "a", true, false},
	} {
		if fresh, full := m.Use(step.name, began.Add(step.after)); fresh != step.fresh || full != step.full {
			t.Errorf("%s after %v: fresh %v, full %v", step.name, step.after, fresh, full)
		}
	}
}
