package conn

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/plannedend"
	"github.com/parley-rpc/parley/principal"
)

var (
	// ErrClosed is the error of a session that begins after its identity was closed.
	ErrClosed  = errors.New("the identity is closed")
	errRevoked = errors.New("the key was revoked meanwhile")
)

// Terms are what a session is made of.
type Terms struct {
	What string // it is, for logs
	Role string // of this end
	Peer principal.Peer
	Life Lifetime
	// Planned reports whether the end of the lifetime is planned: the credential can be renewed, and a new session will
	// do.
	Planned bool
	// Raw is the connection that ends with the session, below TLS. It is nil for a stream.
	Raw        net.Conn
	Validity   verify.Validity
	Generation uint64 // of Validity when the key was found
	// By is the credential of this end, which Sessions.Drain compares. It may be nil.
	By any
}

// Session is an authenticated connection, or a stream that was opened with a token: whom its credential proved, until
// when, and by which state of trust. It ends with the credential, and takes the connection with it.
type Session struct {
	Terms
	sessions *Sessions
	life     atomic.Pointer[Lifetime]
	checked  atomic.Uint64 // the generation that the session was last compared with
	over     atomic.Bool   // no RPC may begin any more
	revoked  atomic.Bool
	endNow   chan struct{} // closed when streams must end
	ending   *plannedend.Notice

	mu        sync.Mutex
	timer     *time.Timer
	closed    bool
	notified  bool   // endNow is closed
	announced bool   // the planned end was
	drain     func() // asks the other end to connect anew; nil for a stream
}

// Begin begins a session. It is known before the trust is asked once more, so that no change falls between.
func (s *Sessions) Begin(t Terms) (*Session, error) {
	n := &Session{Terms: t, sessions: s, endNow: make(chan struct{}), ending: plannedend.New()}
	n.life.Store(&t.Life)
	n.checked.Store(t.Generation)
	if !s.add(n) {
		return nil, ErrClosed
	}
	if !n.Trusted() {
		n.Release()
		return nil, errRevoked
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.timer = time.AfterFunc(t.Life.nextCheck(time.Now()), n.check)
	}
	return n, nil
}

// Of reports whether the session belongs to the set.
func (s *Session) Of(set *Sessions) bool { return s.sessions == set }

// Checked is the generation of trust that the session was last compared with.
func (s *Session) Checked() uint64 { return s.checked.Load() }

// Alive reports whether bytes may still be sent.
func (s *Session) Alive() bool { return s.Trusted() && s.life.Load().Remaining(time.Now()) > 0 }

// Open reports whether another RPC may begin.
func (s *Session) Open(now time.Time) bool {
	return !s.over.Load() && s.Trusted() && !s.life.Load().inLead(now)
}

// Trusted reports whether the peer's key is still the peer's. It costs a comparison unless the trust has changed.
func (s *Session) Trusted() bool {
	generation := s.Validity.Generation()
	if s.checked.Load() == generation {
		return true
	}
	if !s.Validity.Holds(s.Peer.KeyID, s.Peer.ID) {
		return false
	}
	s.checked.Store(generation)
	return true
}

// Ending announces the planned end to handlers. It is nil for no session.
func (s *Session) Ending() *plannedend.Notice {
	if s == nil {
		return nil
	}
	return s.ending
}

// EndNow is closed when streams must end. It is nil, which is never closed, for no session.
func (s *Session) EndNow() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.endNow
}

// EndsAsPlanned reports whether the session ends, or has ended, by its lifetime alone and another one will do.
func (s *Session) EndsAsPlanned() bool { return s.Planned && !s.revoked.Load() && s.Trusted() }

// EndedAsPlanned reports whether the time of the session is over, and that was planned.
func (s *Session) EndedAsPlanned() bool {
	select {
	case <-s.endNow:
		return s.EndsAsPlanned()
	default:
		return false
	}
}

// check ends the session, ends its streams or announces its end, whichever is due. The announcement comes last: it may
// wait for the peer, and the end does not.
func (s *Session) check() {
	now, life := time.Now(), s.life.Load()
	if life.Remaining(now) <= 0 {
		s.cut("its age")
		return
	}
	if life.inLead(now) {
		s.endStreams()
	}
	draining := life.draining(now)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.timer.Reset(life.nextCheck(now))
	announce := draining && !s.announced
	s.announced = s.announced || draining
	drain := s.drain
	s.mu.Unlock()
	if draining {
		s.ending.Announce(life.end.Add(-life.lead))
	}
	if announce && drain != nil {
		drain()
	}
}

// whenDraining sets the function that is called once, when the planned end is announced. If it was announced before,
// whenDraining calls it.
func (s *Session) whenDraining(drain func()) {
	s.mu.Lock()
	s.drain = drain
	announced := s.announced
	s.mu.Unlock()
	if announced {
		drain()
	}
}

// Drain begins the planned end of the session now. The session ends within a time, or earlier if it would have; the
// last part of what remains is the lead.
func (s *Session) Drain(now time.Time, within, lead time.Duration) {
	remaining := min(s.life.Load().Remaining(now), within)
	life := NewLifetime(now, remaining, remaining, min(lead, remaining))
	s.life.Store(&life)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && s.timer != nil {
		s.timer.Reset(0)
	}
}

func (s *Session) endStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over.Store(true)
	if !s.notified {
		s.notified = true
		close(s.endNow)
	}
}

// End ends the session at once, because its credential is no longer believed.
func (s *Session) End(why string) {
	s.revoked.Store(true)
	s.cut(why)
}

// cut closes the connection below TLS, so that nothing can wait for the peer.
func (s *Session) cut(why string) {
	s.endStreams()
	if s.Release() {
		if s.Raw != nil {
			_ = s.Raw.Close() // the other end may have been first
		}
		s.sessions.Ended(s, why)
	}
}

// Release forgets the session when its connection is closed, or its stream is over. It reports whether it was the first
// to do so.
func (s *Session) Release() bool {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.over.Store(true)
	s.sessions.remove(s)
	return first
}
