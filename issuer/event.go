package issuer

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
	"github.com/parley-rpc/parley/principal"
)

// Event is an entry of the audit trail: a change of the state. Issued and refused tokens are in the audit log
// ([WithLogger]) and not in the trail.
type Event struct {
	// Number counts the changes of the state from 1, without gaps.
	Number uint64 `json:"-"`
	// At is when the change was made.
	At time.Time `json:"at"`
	// Actor is the ID of the proven caller that made the change, or empty if the program itself did.
	Actor string `json:"actor,omitempty"`
	// Action is "create", "rotate", "revoke", "reinstate", "register" or "remove".
	Action string `json:"action"`
	// Client is the ID of the changed client, if there is one.
	Client string `json:"client,omitempty"`
	// KeyID is the thumbprint of the changed key, if there is one.
	KeyID string `json:"kid,omitempty"`
	// Reason is the reason that the caller gave.
	Reason string `json:"reason,omitempty"`
}

// record returns the change that adds the event to the trail.
func (e Event) record(ctx context.Context, number uint64) store.Change {
	e.At = wallTime()
	if peer, ok := principal.PeerFromContext(ctx); ok {
		e.Actor = peer.ID.String()
	}
	return store.Change{
		Kind: kindAudit, Name: numbered(number), Value: encode(e), Expires: e.At.Add(auditRetention),
	}
}

// Events returns up to limit events of the audit trail with a number greater than after, the oldest first. Events are
// kept for a year.
func (s *State) Events(ctx context.Context, after uint64, limit int) ([]Event, error) {
	list, err := s.records.List(ctx, kindAudit, numbered(after), limit)
	if err != nil {
		return nil, fmt.Errorf("issuer: Events: %w", err)
	}
	events := make([]Event, len(list))
	for n, r := range list {
		if err := decodeStrictly(r.Value, &events[n]); err != nil {
			return nil, fmt.Errorf("issuer: Events: %s: %w", r.Name, err)
		}
		if events[n].Number, err = parseNumber(r.Name); err != nil {
			return nil, fmt.Errorf("issuer: Events: %w", err)
		}
	}
	return events, nil
}

// LastEvents returns the last events of the audit trail, at most limit, the oldest first.
func (s *State) LastEvents(ctx context.Context, limit int) ([]Event, error) {
	last, _, err := s.sequence(ctx)
	if err != nil {
		return nil, fmt.Errorf("issuer: LastEvents: %w", err)
	}
	return s.Events(ctx, last-min(last, uint64(max(limit, 0))), limit)
}
