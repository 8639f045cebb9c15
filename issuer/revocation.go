package issuer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/issuer/store"
)

// Revocation states that a client or a key is no longer trusted. Exactly one of Client and KeyID is set.
type Revocation struct {
	// Number is the number of the change; see [Event].
	Number uint64 `json:"-"`
	// Client is the ID of a client. It gets no tokens until [State.Reinstate].
	Client string `json:"client,omitempty"`
	// KeyID is the thumbprint of a key. The key of a client cannot log in and cannot be registered again. A key of the
	// issuer is removed from the key set, as by [Keys.Revoke].
	KeyID string `json:"kid,omitempty"`
	// Reason is for the audit trail, at most 512 bytes.
	Reason string `json:"reason,omitempty"`
	// At is when it was revoked.
	At time.Time `json:"at"`
	// Reinstated says that this entry ends an earlier revocation of the client.
	Reinstated bool `json:"reinstated,omitempty"`
}

// Revoke revokes a client or a key. When it returns nil, the revocation is stored, and this issuer issues no token
// against it; other issuers with the same store follow within a second. Tokens that were issued before remain valid
// until they expire, except those of a revoked key of the issuer. Revoking twice changes nothing.
//
// Revoke returns an error, and changes nothing, if the key is the only one of the issuer that could sign.
func (s *State) Revoke(ctx context.Context, r Revocation) error {
	if (r.Client == "") == (r.KeyID == "") {
		return errors.New("issuer: Revoke: set Client or KeyID, and not both")
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("issuer: Revoke: %w", err)
	}
	r.Reinstated, r.At = false, wallTime()
	var left plan
	event := &Event{Action: "revoke", Client: r.Client, KeyID: r.KeyID, Reason: r.Reason}
	err := s.change(ctx, event, func(number uint64) ([]store.Change, error) {
		if err := s.readRevocations(ctx); err != nil || s.revoked.has(r.Client, r.KeyID) {
			return nil, err
		}
		changes := []store.Change{{Kind: kindRevocations, Name: numbered(number), Value: encode(r)}}
		stored, list, err := s.storedPlan(ctx)
		if err != nil {
			return nil, err
		}
		if r.KeyID == "" || list.find(r.KeyID) < 0 {
			return changes, nil
		}
		if left, err = list.revoke(r.KeyID, wallTime()); err != nil {
			return nil, err
		}
		return append(changes, store.Change{
			Kind: kindKeys, Name: namePlan, Version: stored.Version, Value: left.encode(),
		}), nil
	}, func(number uint64) {
		r.Number = number
		s.revoked.add(r)
		if left != nil {
			s.adopt(left)
		}
	})
	if err != nil {
		return fmt.Errorf("issuer: Revoke: %w", err)
	}
	return nil
}

// Reinstate ends the revocation of a client. Revoked keys stay revoked.
func (s *State) Reinstate(ctx context.Context, client, reason string) error {
	r := Revocation{Client: client, Reason: reason, Reinstated: true, At: wallTime()}
	if err := r.check(); err != nil {
		return fmt.Errorf("issuer: Reinstate: %w", err)
	}
	event := &Event{Action: "reinstate", Client: client, Reason: reason}
	err := s.change(ctx, event, func(number uint64) ([]store.Change, error) {
		if err := s.readRevocations(ctx); err != nil {
			return nil, err
		}
		if !s.revoked.has(client, "") {
			return nil, fmt.Errorf("%s is not revoked", quote.Text(client))
		}
		return []store.Change{{Kind: kindRevocations, Name: numbered(number), Value: encode(r)}}, nil
	}, func(number uint64) {
		r.Number = number
		s.revoked.add(r)
	})
	if err != nil {
		return fmt.Errorf("issuer: Reinstate: %w", err)
	}
	return nil
}

// Revocations returns the revocations that are in force, in the order of their numbers.
func (s *State) Revocations(ctx context.Context) ([]Revocation, error) {
	if err := s.refresh(ctx, 0); err != nil {
		return nil, fmt.Errorf("issuer: Revocations: %w", err)
	}
	return s.revoked.list(), nil
}

func (r Revocation) check() error {
	if len(r.Reason) > maxCause {
		return fmt.Errorf("the reason has %d bytes; shorten it to %d", len(r.Reason), maxCause)
	}
	if r.KeyID != "" {
		if !printable(r.KeyID) || len(r.KeyID) > maxTokenID {
			return errors.New("the key ID is no thumbprint (RFC 7638)")
		}
		return nil
	}
	return checkID(r.Client)
}

// readRevocations reads the revocations since the last reading.
func (s *State) readRevocations(ctx context.Context) error {
	for {
		page, err := s.records.List(ctx, kindRevocations, numbered(s.revoked.number()), pageSize)
		if err != nil {
			return fmt.Errorf("the revocations: %w", err)
		}
		for _, record := range page {
			r, err := decodeRevocation(record)
			if err != nil {
				return fmt.Errorf("the revocation %s: %w", record.Name, err)
			}
			s.revoked.add(r)
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func decodeRevocation(record store.Record) (r Revocation, err error) {
	if err := decodeStrictly(record.Value, &r); err != nil {
		return r, err
	}
	if (r.Client == "") == (r.KeyID == "") {
		return r, errors.New("it names not exactly one of a client and a key; restore a backup")
	}
	r.Number, err = parseNumber(record.Name)
	return r, err
}

func parseNumber(name string) (uint64, error) {
	number, err := strconv.ParseUint(name, 10, 64)
	if err != nil || numbered(number) != name {
		return 0, fmt.Errorf("%s is no number of a change; restore a backup", quote.Text(name))
	}
	return number, nil
}

// revocations are the revocations in force.
type revocations struct {
	mu      sync.RWMutex
	clients map[string]Revocation // by ID
	keys    map[string]Revocation // by thumbprint
	last    uint64                // the greatest number that was added
}

func newRevocations() *revocations {
	return &revocations{clients: map[string]Revocation{}, keys: map[string]Revocation{}}
}

func (v *revocations) add(r Revocation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case r.Reinstated:
		delete(v.clients, r.Client)
	case r.Client != "":
		v.clients[r.Client] = r
	default:
		v.keys[r.KeyID] = r
	}
	v.last = max(v.last, r.Number)
}

// has reports whether the client or the key is revoked.
func (v *revocations) has(client, kid string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, byID := v.clients[client]
	_, byKey := v.keys[kid]
	return byID || byKey
}

func (v *revocations) number() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.last
}

func (v *revocations) list() []Revocation {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := slices.AppendSeq(slices.Collect(maps.Values(v.clients)), maps.Values(v.keys))
	slices.SortFunc(all, func(a, b Revocation) int { return cmp.Compare(a.Number, b.Number) })
	return all
}
