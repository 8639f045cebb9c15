package bolt

import (
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
)

// HoldTurn takes the turn to write until release is called.
func HoldTurn(s *Store) (release func()) {
	s.turn <- struct{}{}
	return func() { <-s.turn }
}

// AwaitWaiting waits until n Applies wait to be written.
func AwaitWaiting(s *Store, n int) {
	await(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.waiting) >= n
	})
}

// AwaitClosed waits until Close was called.
func AwaitClosed(s *Store) { await(s.closed.Load) }

func await(happened func() bool) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !happened() {
		<-ticker.C
	}
}

// Writes returns the number of transactions that have been written.
func Writes(s *Store) int64 {
	tx, err := s.db.Begin(false)
	if err != nil {
		return -1
	}
	defer func() { _ = tx.Rollback() }()
	return int64(tx.ID())
}

// Past is a time at which every record has expired.
func Past() time.Time { return time.Unix(1, 0) }

// Stored returns how many records and expiries are in the file, expired ones included.
func Stored(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			n += bucket.Stats().KeyN
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
