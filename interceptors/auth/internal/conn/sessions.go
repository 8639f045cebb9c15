package conn

import (
	"sync"
	"time"
)

// Sessions are the sessions of an identity that are alive, so that a change of trust or of an own key reaches them.
type Sessions struct {
	// Ended is called with each session that was cut, and why.
	Ended func(s *Session, why string)

	mu       sync.Mutex
	sessions map[*Session]struct{}
	closed   bool
}

// add takes a session in. It reports false when the set is closed.
func (s *Sessions) add(n *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.sessions == nil {
		s.sessions = make(map[*Session]struct{})
	}
	s.sessions[n] = struct{}{}
	return true
}

func (s *Sessions) remove(n *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
}

// All returns the sessions that are alive.
func (s *Sessions) All() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Session, 0, len(s.sessions))
	for n := range s.sessions {
		all = append(all, n)
	}
	return all
}

// EndUntrusted ends every session whose key is no longer trusted. It returns how many sessions that are.
func (s *Sessions) EndUntrusted() (ended int) {
	for _, n := range s.All() {
		if !n.Trusted() {
			n.End("the trust in its key")
			ended++
		}
	}
	return ended
}

// Drain begins the planned end of every session that rests on one credential of this end: it ends within a time, whose
// last part is the lead. Drain returns how many sessions that are.
func (s *Sessions) Drain(by any, within, lead time.Duration) (draining int) {
	now := time.Now()
	for _, n := range s.All() {
		if n.By != nil && n.By == by {
			n.Drain(now, within, lead)
			draining++
		}
	}
	return draining
}

// Close ends every session, and lets none begin.
func (s *Sessions) Close(why string) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, n := range s.All() {
		n.End(why)
	}
}
