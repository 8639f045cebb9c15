package auth

import (
	"sync"
	"time"
)

// lease is the time that the token of an end user gives to a stream. It ends with the token, or when its key is revoked, which
// is looked at every minute.
type lease struct {
	token *verified
	term  term
	ended chan struct{}

	mu     sync.Mutex
	timer  *time.Timer
	closed bool
}

// holdUser begins a lease, and returns nil where there is no token.
func holdUser(u *broughtUser) *lease {
	if u == nil || u.token == nil {
		return nil
	}
	now := time.Now()
	l := &lease{token: u.token, ended: make(chan struct{})}
	l.term = newTerm(now, u.token.expires.Add(u.token.by.skew).Sub(now), 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(l.term.nextLook(now), l.look)
	return l
}

func (l *lease) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.closed:
	case l.term.left(now) <= 0 || !l.token.trusted():
		l.closed = true
		close(l.ended)
	default:
		l.timer.Reset(l.term.nextLook(now))
	}
}

// over is closed at the end of the lease. It is nil, which never comes, for no lease.
func (l *lease) over() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.ended
}

func (l *lease) release() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.timer.Stop()
}
