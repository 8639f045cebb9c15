package trustdir_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// watched is a started directory and the moments of its generations, since the start.
type watched struct {
	*trustdir.Directory
	began   time.Time
	changes []time.Duration
}

// watch starts the directory and waits for the first reading. It ends with the test, which is a bubble.
func (s *state) watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{began: time.Now()}
	w.Directory = trustdir.Open(s.dir, trustdir.Options{ValidID: validID, OnChange: func(generation uint64) {
		if generation != w.Generation() {
			t.Errorf("notified of generation %d, now is %d", generation, w.Generation())
		}
		w.changes = append(w.changes, time.Since(w.began))
	}})
	w.Start()
	w.Start()
	t.Cleanup(func() { _ = w.Close() })
	synctest.Wait()
	return w
}

// at lets the time since the start pass, and everything that happens until then happen.
func (w *watched) at(d time.Duration) {
	time.Sleep(d - time.Since(w.began))
	synctest.Wait()
}

func (w *watched) wantChanges(t *testing.T, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(w.changes, want) {
		t.Errorf("changes at %v, want %v", w.changes, want)
	}
}

func TestReadAgainEvery2Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		w := s.watch(t)
		w.wantChanges(t, 0)

		w.at(500 * time.Millisecond)
		key := newKey(t)
		entry := s.put(orders, key)
		w.at(2*time.Second - 1)
		if w.Current(key.Thumbprint()) {
			t.Error("found before its time")
		}
		w.at(2 * time.Second)
		if !w.Current(key.Thumbprint()) {
			t.Error("not found in time")
		}
		w.at(9 * time.Second)
		s.remove(entry)
		w.at(20 * time.Second)
		w.wantChanges(t, 0, 2*time.Second, 10*time.Second)
	})
}

func TestUnknownKeyIsLookedForAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		w := s.watch(t)
		ask := func() { // a flood of them
			for range 1000 {
				if _, err := w.Lookup("unknown"); !errors.Is(err, trustdir.ErrUnknownKey) {
					t.Error(err)
				}
			}
		}
		w.at(200 * time.Millisecond)
		ask()
		synctest.Wait() // for the reading that this asked for
		s.put(orders, newKey(t))
		w.at(time.Second) // too soon after the reading that was asked for at 200 ms
		s.put(orders, newKey(t))
		ask()
		w.at(1200 * time.Millisecond)
		ask()
		synctest.Wait()
		s.put(orders, newKey(t))
		w.at(3500 * time.Millisecond) // at 2 s the ticker read, and no look-up has asked since
		s.put(orders, newKey(t))
		ask() // more than a second since the last one that was asked for: at once
		w.at(3900 * time.Millisecond)
		s.put(orders, newKey(t))
		w.at(6 * time.Second)
		w.wantChanges(t, 0, 1200*time.Millisecond, 2*time.Second, 3500*time.Millisecond, 4*time.Second)
	})
}

func TestUnreadableDirectoryIsBelievedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		key := newKey(t)
		s.put(orders, key)
		w := s.watch(t)
		w.at(3 * time.Second) // last read at 2 s
		s.chmod("trust", 0o777)
		w.at(4 * time.Second)
		if w.Err() == nil || !w.Current(key.Thumbprint()) {
			t.Errorf("at first: %v", w.Err())
		}
		w.at(2*time.Second + time.Hour - 1)
		if _, err := w.Lookup(key.Thumbprint()); err != nil {
			t.Errorf("just before the hour: %v", err)
		}
		w.at(2*time.Second + time.Hour)
		_, err := w.Lookup(key.Thumbprint())
		var at *safepath.Error
		if !errors.Is(err, trustdir.ErrUnavailable) || !errors.As(err, &at) || w.Current(key.Thumbprint()) {
			t.Errorf("after the hour: %v", err)
		}
		synctest.Wait() // for the reading that this asked for
		s.chmod("trust", 0o700)
		w.at(4*time.Second + time.Hour)
		if _, err := w.Lookup(key.Thumbprint()); err != nil || w.Err() != nil {
			t.Errorf("readable again: %v, %v", err, w.Err())
		}
		w.wantChanges(t, 0, 2*time.Second+time.Hour, 4*time.Second+time.Hour)
	})
}

// A file system that hangs, here at the check of an ID, must not keep old keys alive.
func TestHangingFileSystemIsBelievedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		key := newKey(t)
		s.put(orders, key)
		hang := make(chan struct{})
		d := trustdir.Open(s.dir, trustdir.Options{ValidID: func(id string) error {
			if id == payments {
				<-hang
			}
			return nil
		}})
		began := time.Now()
		d.Start()
		synctest.Wait()
		s.put(payments, newKey(t))
		time.Sleep(time.Hour - 1)
		synctest.Wait()
		if !d.Current(key.Thumbprint()) {
			t.Errorf("not trusted after %v", time.Since(began))
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if _, err := d.Lookup(key.Thumbprint()); !errors.Is(err, trustdir.ErrUnavailable) {
			t.Errorf("after an hour: %v", err)
		}
		close(hang)
		synctest.Wait()
		if n := len(d.Entries()); n != 2 {
			t.Errorf("%d entries when it works again", n)
		}
		s.must(d.Close())
	})
}

func TestCloseWaitsForTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newState(t)
		s.put(orders, newKey(t))
		reading := make(chan struct{})
		d := trustdir.Open(
			s.dir,
			trustdir.Options{ValidID: func(string) error { close(reading); time.Sleep(time.Second); return nil }},
		)
		d.Start()
		<-reading
		began := time.Now()
		s.must(d.Close())
		if took := time.Since(began); took != time.Second || len(d.Entries()) != 0 {
			t.Errorf("closed after %v with entries %v", took, d.Entries())
		}
	})
}
