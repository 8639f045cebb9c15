package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer/store"
)

// planRecord is the stored plan.
type planRecord struct {
	Keys []keyRecord `json:"keys"`
}

// keyRecord is a stored key.
type keyRecord struct {
	JWK    json.RawMessage `json:"jwk"`
	Handle []byte          `json:"handle"`
	Known  time.Time       `json:"known"`
	From   time.Time       `json:"from"`
}

// Rotate makes a new key and replaces the signing key by it, as [Keys.Rotate] does. The new key is stored before it is
// published. Rotate returns when it will sign.
func (s *State) Rotate(ctx context.Context) (signs time.Time, err error) {
	return s.RotateAfter(ctx, 0)
}

// RotateAfter rotates if the newest key was published longer than age ago, and otherwise does nothing. Several
// processes may call it at the same time: one of them rotates. It returns when the newest key signs or has begun to.
func (s *State) RotateAfter(ctx context.Context, age time.Duration) (signs time.Time, err error) {
	var next ownKey
	var rotated plan
	event := &Event{Action: "rotate"}
	err = s.change(ctx, event, func(uint64) ([]store.Change, error) {
		stored, list, err := s.storedPlan(ctx)
		if err != nil {
			return nil, err
		}
		now := wallTime()
		if newest := list[len(list)-1]; now.Sub(newest.known) < age {
			signs = newest.from
			return nil, nil
		}
		if next.signer == nil {
			if next, err = s.newKey(ctx); err != nil {
				return nil, err
			}
		}
		next.known, event.KeyID = now, next.public.KeyID()
		if rotated, signs, err = list.rotate(next, now); err != nil {
			return nil, err
		}
		return []store.Change{{Kind: kindKeys, Name: namePlan, Version: stored.Version, Value: rotated.encode()}}, nil
	}, func(uint64) { s.adopt(rotated) })
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Rotate: %w", err)
	}
	return signs, nil
}

// wallTime returns the time as it is stored, so that a process and the next one compare the same times.
func wallTime() time.Time { return time.Now().Round(0).UTC() }

// adopt makes a plan effective that was just stored. Its version is read with the next refresh.
func (s *State) adopt(p plan) {
	s.keys.set(p)
	s.planVersion = 0
}

// makeFirstKey makes the first key of an empty state. It signs at once, because no verifier can know another.
func (s *State) makeFirstKey(ctx context.Context) error {
	if _, err := s.records.Get(ctx, kindKeys, namePlan); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	key, err := s.newKey(ctx)
	if err != nil {
		return err
	}
	err = s.change(ctx, &Event{Action: "create", KeyID: key.public.KeyID()}, func(uint64) ([]store.Change, error) {
		if _, err := s.records.Get(ctx, kindKeys, namePlan); !errors.Is(err, store.ErrNotFound) {
			return nil, err // another process was first
		}
		key.known = wallTime()
		key.from = key.known
		return []store.Change{{Kind: kindKeys, Name: namePlan, Value: plan{key}.encode()}}, nil
	}, func(uint64) {})
	return err
}

func (s *State) newKey(ctx context.Context) (ownKey, error) {
	signer, handle, err := s.service.NewKey(ctx)
	if err != nil {
		return ownKey{}, fmt.Errorf("key service: %w", err)
	}
	private, err := privateKey(signer)
	if err != nil {
		return ownKey{}, fmt.Errorf("key service: %w", err)
	}
	if len(handle) == 0 || len(handle) > maxHandle {
		return ownKey{}, fmt.Errorf("key service: a handle has %d bytes; use 1 to %d", len(handle), maxHandle)
	}
	return ownKey{public: private.Public(), signer: private, handle: handle}, nil
}

// readPlan reads the plan if it has changed.
func (s *State) readPlan(ctx context.Context) error {
	r, err := s.records.Get(ctx, kindKeys, namePlan)
	if err != nil {
		return fmt.Errorf("the keys: %w", err)
	}
	if r.Version == s.planVersion {
		return nil
	}
	list, err := s.decodePlan(ctx, r.Value)
	if err != nil {
		return fmt.Errorf("the keys: %w", err)
	}
	s.keys.set(list)
	s.planVersion = r.Version
	return nil
}

// storedPlan returns the plan as it is stored now.
func (s *State) storedPlan(ctx context.Context) (store.Record, plan, error) {
	r, err := s.records.Get(ctx, kindKeys, namePlan)
	if err != nil {
		return r, nil, fmt.Errorf("the keys: %w", err)
	}
	list, err := s.decodePlan(ctx, r.Value)
	if err != nil {
		return r, nil, fmt.Errorf("the keys: %w", err)
	}
	return r, list, nil
}

func (p plan) encode() []byte {
	var record planRecord
	for _, key := range p {
		jwk, _ := key.public.MarshalJWK() // its error is always nil
		record.Keys = append(record.Keys, keyRecord{jwk, key.handle, key.known, key.from})
	}
	return encode(record)
}

// decodePlan decodes a plan and opens its keys. Keys that are open already are not opened again.
func (s *State) decodePlan(ctx context.Context, text []byte) (plan, error) {
	record, err := parsePlan(text)
	if err != nil {
		return nil, err
	}
	known := s.keys.published()
	now := time.Now()
	var list plan
	for n, key := range record.Keys {
		own := ownKey{handle: key.Handle, known: key.Known, from: key.From}
		if own.public, err = jose.ParsePublicKey(key.JWK); err != nil {
			return nil, fmt.Errorf("key %d: %w", n+1, err)
		}
		if list.find(own.public.KeyID()) >= 0 {
			return nil, fmt.Errorf("key %s is there twice; restore a backup", own.public.KeyID())
		}
		over := n+1 < len(record.Keys) && !now.Before(record.Keys[n+1].From.Add(keyRetirement))
		if over {
			continue // its last token has expired
		}
		if k := known.find(own.public.KeyID()); k >= 0 && bytes.Equal(known[k].handle, own.handle) {
			own.signer = known[k].signer
		} else if own.signer, err = s.open(ctx, own); err != nil {
			return nil, fmt.Errorf("key %s: %w", own.public.KeyID(), err)
		}
		list = append(list, own)
	}
	return list, nil
}

func parsePlan(text []byte) (planRecord, error) {
	var record planRecord
	if err := decodeStrictly(text, &record); err != nil {
		return record, fmt.Errorf("the plan: %w", err)
	}
	if len(record.Keys) == 0 || len(record.Keys) > maxKeys {
		return record, fmt.Errorf("the plan has %d keys; restore a backup", len(record.Keys))
	}
	for n, key := range record.Keys {
		if len(key.Handle) == 0 || n > 0 && key.From.Before(record.Keys[n-1].From) {
			return record, fmt.Errorf("key %d of the plan has no handle or is out of order; restore a backup", n+1)
		}
	}
	return record, nil
}

func (s *State) open(ctx context.Context, key ownKey) (*jose.PrivateKey, error) {
	signer, err := s.service.OpenKey(ctx, key.handle)
	if err != nil {
		return nil, fmt.Errorf("key service: %w", err)
	}
	private, err := privateKey(signer)
	if err != nil {
		return nil, fmt.Errorf("key service: %w", err)
	}
	if !private.Public().Equal(key.public) {
		return nil, errors.New("key service: it has another key for this handle")
	}
	return private, nil
}

// decodeStrictly decodes one JSON value without unknown members.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	return nil
}
