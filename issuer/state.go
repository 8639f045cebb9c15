package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
)

// The kinds of records in a store, and the names of single records.
const (
	kindMeta        store.Kind = "meta"
	kindKeys        store.Kind = "keys"
	kindClients     store.Kind = "clients"
	kindClientKeys  store.Kind = "clientkeys"
	kindReplays     store.Kind = "replays"
	kindRevocations store.Kind = "revocations"
	kindAudit       store.Kind = "audit"

	nameFormat   = "format"
	nameSequence = "sequence"
	namePlan     = "plan"
)

// State is what an issuer keeps in a [store.Store]: its keys and when each signs, the registrations of its clients, the
// assertions that were used, revocations and the audit trail. Several issuers may share a store if it allows several
// processes. A State is safe for concurrent use. [OpenState] returns one.
//
// A process may be killed at any moment. A new key is in the store before it is published, and published before it
// signs. A revocation is in the store before it is confirmed, and an assertion before it is answered with a token.
//
// Each change adds an [Event] to the audit trail, with the proven caller of its context ([principal.PeerFromContext]).
// An issuer reads the changes of others at most once a second, when it is asked for a token or for its keys.
type State struct {
	records store.Store
	service KeyService
	keys    *Keys

	turn        chan struct{} // holds a token while a goroutine reads the records or changes them
	planVersion uint64
	revoked     *revocations
	read        time.Time // when the records were read
}

// OpenState opens the state in a store, for which the caller remains responsible. An empty store gets a first key. The
// records of an older version of this package are migrated.
//
// OpenState returns an error if the records are of a newer version, or are an incomplete copy, or if a key cannot be
// opened.
func OpenState(ctx context.Context, records store.Store, service KeyService) (*State, error) {
	return openState(ctx, records, service, migrations())
}

func openState(ctx context.Context, records store.Store, service KeyService, steps []migration) (*State, error) {
	if records == nil || service == nil {
		return nil, errors.New("issuer: OpenState: there is no store or no key service; pass both")
	}
	if sealed, ok := service.(*SealedKeys); ok && sealed.err != nil {
		return nil, sealed.err
	}
	s := &State{
		records: records, service: service, keys: &Keys{stored: true}, turn: make(chan struct{}, 1),
		revoked: newRevocations(),
	}
	if err := migrate(ctx, records, steps); err != nil {
		return nil, fmt.Errorf("issuer: OpenState: %w", err)
	}
	if err := s.makeFirstKey(ctx); err != nil {
		return nil, fmt.Errorf("issuer: OpenState: %w", err)
	}
	if err := s.refresh(ctx, 0); err != nil {
		return nil, fmt.Errorf("issuer: OpenState: %w", err)
	}
	return s, nil
}

// Keys returns the keys of the state, for [New]. They change with the state. Their own Rotate and Revoke return errors.
func (s *State) Keys() *Keys { return s.keys }

// enter waits for the turn to read or change the records.
func (s *State) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *State) leave() { <-s.turn }

// refresh reads what other processes have changed, unless it was read within the last interval.
func (s *State) refresh(ctx context.Context, interval time.Duration) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if time.Since(s.read) < interval {
		return nil
	}
	now := time.Now()
	if err := errors.Join(s.readPlan(ctx), s.readRevocations(ctx)); err != nil {
		return err
	}
	s.read = now
	return nil
}

// change makes a change of the state and notes it in the audit trail, all at once. Edit reads what it needs and returns
// the changes. It is called again when another process has changed one of the records meanwhile. Done is called when
// the changes are stored.
//
// All changes have a number, without gaps, in the order in which they become visible.
func (s *State) change(
	ctx context.Context, e *Event, edit func(number uint64) ([]store.Change, error), done func(number uint64),
) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	for range maxAttempts {
		last, version, err := s.sequence(ctx)
		if err != nil {
			return err
		}
		number := last + 1
		changes, err := edit(number)
		if err != nil || changes == nil {
			return err
		}
		err = s.records.Apply(ctx, append(changes, e.record(ctx, number), store.Change{
			Kind: kindMeta, Name: nameSequence, Version: version, Value: strconv.AppendUint(nil, number, 10),
		})...)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err == nil {
			done(number)
		}
		return err
	}
	return errors.New("other processes change the state all the time; try again")
}

// sequence returns the number of the last change, and the version of its record.
func (s *State) sequence(ctx context.Context) (last, version uint64, err error) {
	r, err := s.records.Get(ctx, kindMeta, nameSequence)
	if errors.Is(err, store.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	if last, err = strconv.ParseUint(string(r.Value), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("the number of the last change: %w", err)
	}
	return last, r.Version, nil
}

// numbered is the name of the record of a change. Names are ordered as the numbers are.
func numbered(number uint64) string { return fmt.Sprintf("%020d", number) }

// encode encodes a record. Its error is always nil for the records of this package.
func encode(record any) []byte {
	text, _ := json.Marshal(record)
	return text
}
