package auth

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// link is what a connection, or a stream that was opened with a token, knows of the credential behind it: whom it proved,
// until when, and by which state of trust. It ends when the credential does, and takes the connection with it.
type link struct {
	identity *Identity
	what     string
	role     string
	peer     principal.Peer
	raw      net.Conn // nil for a stream
	term     term
	trust    verify.Validity
	checked  atomic.Uint64 // the trust generation that the link was last compared with
	over     atomic.Bool
	ended    chan struct{} // closed when streams must end

	mu     sync.Mutex
	timer  *time.Timer
	closed bool
	told   bool
}

// holdConnection begins the link of a connection, which lives from now on until the connection is closed.
func (i *Identity) holdConnection(c *core, role string, other verify.Proven, raw net.Conn) (*link, error) {
	now := time.Now()
	age := i.config.connectionAge
	for _, end := range []time.Time{c.expires, other.Expires} {
		if !end.IsZero() {
			age = min(age, end.Sub(now.Round(0)))
		}
	}
	if age <= 0 {
		return nil, wire.ErrExpired
	}
	t := newTerm(now, age, min(streamLead, age/10))
	p := principal.Peer{ID: other.ID, Carrier: principal.CarrierConnection, KeyID: other.KeyID, Expires: t.end, Audiences: i.audiences}
	l := &link{identity: i, what: "connection", role: role, peer: p, raw: raw, term: t, trust: other.Validity, ended: make(chan struct{})}
	return l, l.begin(other.Generation)
}

// holdStream begins the link of a stream that was opened with a token of its caller.
func (i *Identity) holdStream(token *verify.Token) (*link, error) {
	return i.holdToken("stream", token, *token.Peer)
}

// holdUser begins the link of a stream that was opened in the name of an end user. It is nil where no token names one.
func (i *Identity) holdUser(u *broughtUser) (*link, error) {
	if u == nil {
		return nil, nil
	}
	return i.holdToken("stream of a user", u.token, principal.Peer{KeyID: u.token.KeyID})
}

func (i *Identity) holdToken(what string, token *verify.Token, p principal.Peer) (*link, error) {
	now := time.Now()
	t := newTerm(now, token.End().Sub(now), 0)
	l := &link{identity: i, what: what, role: wire.RoleServer, peer: p, term: t, trust: token.Validity(), ended: make(chan struct{})}
	return l, l.begin(verify.Never)
}

// begin makes the link known, for it to be told of changes, and then asks whether one came before that. Generation is that
// of the trust when the peer's key was found.
func (l *link) begin(generation uint64) error {
	l.checked.Store(generation)
	if !l.identity.links.add(l) {
		return verify.ErrKeysUnavailable // the identity is closed
	}
	if !l.trusted() {
		l.release()
		return errors.New("the key was revoked meanwhile")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.timer = time.AfterFunc(l.term.nextLook(time.Now()), l.look)
	}
	return nil
}

// alive tells whether bytes may still be sent.
func (l *link) alive() bool { return l.trusted() && l.term.left(time.Now()) > 0 }

// open tells whether another RPC may begin.
func (l *link) open(now time.Time) bool { return !l.over.Load() && l.trusted() && !l.term.last(now) }

// trusted tells whether the peer's key is still the peer's. It costs a comparison unless the trust has changed.
func (l *link) trusted() bool {
	generation := l.trust.Generation()
	if l.checked.Load() == generation {
		return true
	}
	if !l.trust.Holds(l.peer.KeyID, l.peer.ID) {
		return false
	}
	l.checked.Store(generation)
	return true
}

func (l *link) look() {
	now := time.Now()
	if l.term.left(now) <= 0 {
		l.cut("its age")
		return
	}
	if l.term.last(now) {
		l.endStreams()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.timer.Reset(l.term.nextLook(now))
	}
}

func (l *link) endStreams() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over.Store(true)
	if !l.told {
		l.told = true
		close(l.ended)
	}
}

// cut ends the link at once. It closes the connection below TLS, so that nothing can wait for the peer.
func (l *link) cut(why string) {
	l.endStreams()
	if l.release() {
		if l.raw != nil {
			_ = l.raw.Close() // the other end may have been first
		}
		l.identity.auditEnd(l, why)
	}
}

// gone is closed when streams must end. It is nil, which never comes, for no link.
func (l *link) gone() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.ended
}

// release forgets the link when its connection is closed, or its stream is over. It reports whether it was the first to do so.
func (l *link) release() bool {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.over.Store(true)
	l.identity.links.remove(l)
	return first
}
