package keyset

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
)

// Await is [Set.Lookup] that makes the source be read when the kid is unknown, and waits for that for a second at most.
// That happens at most once in 10 seconds, counted from the last reading of any kind; a key that was not found then
// causes no other reading for 30 seconds. Before the very first reading has ended it waits for that one.
func (s *Set) Await(ctx context.Context, kid string, alg jose.Algorithm) ([]*jose.PublicKey, error) {
	keys, err := s.Lookup(kid, alg)
	if err == nil {
		return keys, nil
	}
	var round <-chan struct{}
	switch {
	case errors.Is(err, ErrUnknownKey) && kid == "":
		return nil, err // which no reading would change: the token does not say what to look for
	case errors.Is(err, ErrUnknownKey):
		round = s.unknown.want(kid, time.Now())
	default:
		round = s.unknown.first()
	}
	if round == nil {
		return s.Lookup(kid, alg) // a reading may have ended since the first look
	}
	defer s.unknown.enough()
	timer := time.NewTimer(unknownWait)
	defer timer.Stop()
	select {
	case <-round:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.Lookup(kid, alg)
}

// unknown decides which unknown keys cause a reading, and who waits for it.
type unknown struct {
	mu      sync.Mutex
	asked   chan<- struct{} // nil while nothing keeps the set fresh
	round   chan struct{}   // closed at the end of the next reading
	reading bool            // one is under way, or was asked for
	began   time.Time       // the last one
	ended   bool            // at least one has
	waiting int
	wanted  map[string]struct{}
	absent  map[string]time.Time // until when a key causes no reading
	order   []string             // of absent, oldest first
}

// start makes asked receive the readings that are wanted. Nil ends that, and every wait.
func (u *unknown) start(asked chan<- struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = asked
	if asked == nil {
		close(u.round)
		u.round = make(chan struct{})
	}
}

func (u *unknown) begin(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading, u.began = true, now
}

// end remembers which of the keys that were wanted a successful reading did not find.
func (u *unknown) end(now time.Time, ok bool, found keysByID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ok {
		for kid := range u.wanted {
			if len(found[kid]) == 0 {
				u.remember(kid, now.Add(unknownMemory))
			}
		}
	}
	u.reading, u.ended, u.wanted = false, true, nil
	close(u.round)
	u.round = make(chan struct{})
}

func (u *unknown) remember(kid string, until time.Time) {
	if _, known := u.absent[kid]; known {
		u.absent[kid] = until // it keeps its place, and so may be forgotten early
		return
	}
	if u.absent == nil {
		u.absent = make(map[string]time.Time)
	}
	if len(u.order) == maxUnknown {
		delete(u.absent, u.order[0])
		u.order = append(u.order[:0], u.order[1:]...)
	}
	u.absent[kid] = until
	u.order = append(u.order, kid)
}

// first returns what is closed at the end of the very first reading, or nil when that has been.
func (u *unknown) first() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.asked == nil || u.ended || u.waiting >= maxUnknown {
		return nil
	}
	u.waiting++
	return u.round
}

// want returns what is closed at the end of the reading in which kid may be found, or nil when there is none to wait
// for. A caller that got one calls enough when it has waited.
func (u *unknown) want(kid string, now time.Time) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.asked == nil, u.waiting >= maxUnknown, now.Before(u.absent[kid]):
		return nil
	case !u.reading && !u.began.IsZero() && now.Sub(u.began) < unknownGap:
		return nil
	case !u.reading:
		u.reading, u.began = true, now
		select {
		case u.asked <- struct{}{}:
		default:
		}
	}
	if u.wanted == nil {
		u.wanted = make(map[string]struct{})
	}
	u.wanted[strings.Clone(kid)] = struct{}{} // the rest of the token need not stay
	u.waiting++
	return u.round
}

func (u *unknown) enough() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting--
}
