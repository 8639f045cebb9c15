package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/parley-rpc/parley/issuer/store"
)

// Store is a [store.Store] in a file. Make one with [Open].
type Store struct {
	db   *bbolt.DB
	path string

	closed    atomic.Bool
	unsettled atomic.Bool   // a write has failed, and none has succeeded since
	turn      chan struct{} // holds a token while one goroutine writes
	mu        sync.Mutex
	waiting   []*pending
}

// pending is an Apply that waits for its turn to be written.
type pending struct {
	changes []store.Change
	done    chan struct{} // closed when err is set
	err     error
}

// String returns the Go expression that made the store.
func (s *Store) String() string { return fmt.Sprintf("bolt.Open(%q)", s.path) }

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, kind store.Kind, name string) (r store.Record, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketOf(kind))
		if bucket == nil {
			return store.ErrNotFound
		}
		var ok bool
		if r, ok, err = decode(kind, []byte(name), bucket.Get([]byte(name)), time.Now()); err == nil && !ok {
			return store.ErrNotFound
		}
		return err
	})
	return r, err
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, kind store.Kind, after string, limit int) (list []store.Record, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketOf(kind))
		if bucket == nil {
			return nil
		}
		now, cursor := time.Now(), bucket.Cursor()
		name, value := cursor.Seek([]byte(after))
		if after != "" && bytes.Equal(name, []byte(after)) {
			name, value = cursor.Next()
		}
		for ; name != nil && len(list) < limit; name, value = cursor.Next() {
			r, ok, err := decode(kind, name, value, now)
			if err != nil {
				return err
			}
			if ok {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

// Snapshot implements [store.Store]. It holds all records in memory while it yields them.
func (s *Store) Snapshot(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		// A transaction that is open for long would delay the writer.
		all, err := s.all(ctx)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *Store) all(ctx context.Context) (all []store.Record, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		now := time.Now()
		return tx.ForEach(func(bucketName []byte, bucket *bbolt.Bucket) error {
			kind, ok := kindOf(bucketName)
			if !ok {
				return nil
			}
			return bucket.ForEach(func(name, value []byte) error {
				r, ok, err := decode(kind, name, value, now)
				if ok {
					all = append(all, r)
				}
				return err
			})
		})
	})
	return all, err
}

// view reads. After a failed write it reads only what is known to be on disk: a failed write may be visible and yet not
// be on disk.
func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return store.ErrClosed
	}
	if s.unsettled.Load() {
		if err := s.settle(ctx); err != nil {
			return err
		}
	}
	err := s.db.View(read)
	if err != nil && s.closed.Load() {
		return store.ErrClosed
	}
	return err
}

// settle writes, after a write has failed.
func (s *Store) settle(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if !s.unsettled.Load() {
		return nil
	}
	return s.write(nil)
}

// enter waits for the turn to write.
func (s *Store) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.closed.Load() {
		s.leave()
		return store.ErrClosed
	}
	return nil
}

func (s *Store) leave() { <-s.turn }

// Close implements [store.Store]. It waits for the methods that run.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.turn <- struct{}{}
	defer s.leave()
	s.fail(store.ErrClosed)
	return s.db.Close()
}

// fail answers all that wait.
func (s *Store) fail(err error) {
	for _, p := range s.take() {
		p.finish(err)
	}
}

func (p *pending) finish(err error) {
	p.err = err
	close(p.done)
}

// errBroken is the error of a store whose database has panicked.
var errBroken = errors.New("issuer: bolt: the database has failed; restart the process")
