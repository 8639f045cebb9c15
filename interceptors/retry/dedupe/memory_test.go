package dedupe_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/interceptors/retry/dedupe"
	"github.com/parley-rpc/parley/interceptors/retry/dedupe/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryIsAStore(t *testing.T) {
	for _, c := range storetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Check(t, dedupe.NewMemory(0, 0)) })
		})
	}
}

// A full store refuses, and has room again when answers expire.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, m := range []*dedupe.Memory{dedupe.NewMemory(3, 0), dedupe.NewMemory(0, 1000)} {
			claim := func(n int) error {
				_, _, err := m.Claim(t.Context(), dedupe.Key{Key: strconv.Itoa(n)}, dedupe.Fingerprint{}, time.Minute)
				return err
			}
			for n := range 3 {
				if err := claim(n); err != nil {
					t.Fatal(err)
				}
				if err := m.Finish(t.Context(), dedupe.Key{Key: strconv.Itoa(n)}, dedupe.Answer{}, time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if err := claim(3); !errors.Is(err, dedupe.ErrFull) {
				t.Errorf("a fourth key: %v, want ErrFull", err)
			}
			time.Sleep(time.Minute)
			if err := claim(3); err != nil || m.Len() != 1 {
				t.Errorf("after a minute: %v with %d keys, want one", err, m.Len())
			}
		}
	})
}

func TestMemoryRefusesAnAnswerThatIsTooLarge(t *testing.T) {
	m := dedupe.NewMemory(0, 1000)
	if _, _, err := m.Claim(t.Context(), dedupe.Key{}, dedupe.Fingerprint{}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := m.Finish(t.Context(), dedupe.Key{}, dedupe.Answer{Reply: make([]byte, 1000)}, time.Minute); !errors.Is(err, dedupe.ErrFull) {
		t.Errorf("Finish = %v, want ErrFull", err)
	}
	if err := m.Finish(t.Context(), dedupe.Key{}, dedupe.Answer{}, time.Minute); err != nil {
		t.Errorf("a smaller answer: %v", err)
	}
}
