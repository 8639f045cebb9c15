package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/parley-rpc/parley/issuer/store"
)

const (
	// maxTogether is the number of Applies that are written together at most.
	maxTogether = 512
	// pruneAtLeast is the number of expired records that one write removes in any case. It removes two more for each
	// Apply, so that it keeps up.
	pruneAtLeast = 64
)

// Apply implements [store.Store]. All Applies that wait while one is written are written together, by one of them.
func (s *Store) Apply(ctx context.Context, changes ...store.Change) error {
	if err := errors.Join(store.Check(changes), checkExpiry(changes), ctx.Err()); err != nil {
		return err
	}
	p := &pending{changes: slices.Clone(changes), done: make(chan struct{})}
	for n := range p.changes { // the caller may change its own when ctx has ended
		p.changes[n].Value = slices.Clone(p.changes[n].Value)
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, p)
	s.mu.Unlock()
	for {
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return ctx.Err()
		case s.turn <- struct{}{}:
		}
		if s.closed.Load() {
			s.fail(store.ErrClosed)
		} else if group := s.take(); len(group) > 0 {
			_ = s.write(group) // each of the group has the error
		}
		s.leave()
	}
}

// take takes the Applies that are written next.
func (s *Store) take() []*pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), maxTogether)
	group := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	return group
}

// write writes a group in one transaction. The caller has the turn.
func (s *Store) write(group []*pending) (err error) {
	conflicts := make([]error, len(group))
	defer func() {
		if v := recover(); v != nil { // bbolt holds its lock now
			s.closed.Store(true)
			err = fmt.Errorf("%w: %v", errBroken, v)
		}
		for n, p := range group {
			if err != nil {
				p.finish(err)
			} else {
				p.finish(conflicts[n])
			}
		}
	}()
	tx, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("issuer: bolt: %w", err)
	}
	now := time.Now()
	for n, p := range group {
		if conflicts[n], err = apply(tx, p.changes, now); err != nil {
			return errors.Join(fmt.Errorf("issuer: bolt: %w", err), tx.Rollback())
		}
	}
	if err := prune(tx, now, pruneAtLeast+2*len(group)); err != nil {
		return errors.Join(fmt.Errorf("issuer: bolt: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		s.unsettled.Store(true)
		return fmt.Errorf("issuer: bolt: %s was not written: %w", s.path, err)
	}
	s.unsettled.Store(false)
	return nil
}

// apply makes the changes of one Apply, or returns a conflict and changes nothing.
func apply(tx *bbolt.Tx, changes []store.Change, now time.Time) (conflict, err error) {
	for _, c := range changes {
		var version uint64
		if bucket := tx.Bucket(bucketOf(c.Kind)); bucket != nil {
			r, _, err := decode(c.Kind, []byte(c.Name), bucket.Get([]byte(c.Name)), now)
			if err != nil {
				return nil, err
			}
			version = r.Version
		}
		if version != c.Version {
			return store.ErrConflict, nil
		}
	}
	for _, c := range changes {
		if err := put(tx, c); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func put(tx *bbolt.Tx, c store.Change) error {
	bucket, err := tx.CreateBucketIfNotExists(bucketOf(c.Kind))
	if err != nil {
		return err
	}
	expiries, name := tx.Bucket(expiryBucket), []byte(c.Name)
	if old := bucket.Get(name); old != nil {
		if at := expiryOf(old); at != 0 {
			if err := expiries.Delete(expiryKey(at, c.Kind, name)); err != nil {
				return err
			}
		}
	}
	if c.Delete {
		return bucket.Delete(name)
	}
	version, err := tx.Bucket(ownBucket).NextSequence()
	if err != nil {
		return err
	}
	value := encode(version, c.Expires, c.Value)
	if at := expiryOf(value); at != 0 {
		if err := expiries.Put(expiryKey(at, c.Kind, name), nil); err != nil {
			return err
		}
	}
	return bucket.Put(name, value)
}

// prune removes expired records, the oldest first.
func prune(tx *bbolt.Tx, now time.Time, most int) error {
	cursor := tx.Bucket(expiryBucket).Cursor()
	var over [][]byte
	for key, _ := cursor.First(); key != nil && len(over) < most && expired(key, now); key, _ = cursor.Next() {
		over = append(over, key)
	}
	for _, key := range over {
		kind, name := splitExpiryKey(key)
		if bucket := tx.Bucket(bucketOf(kind)); bucket != nil {
			if err := bucket.Delete(name); err != nil {
				return err
			}
		}
		if err := tx.Bucket(expiryBucket).Delete(key); err != nil {
			return err
		}
	}
	return nil
}
