package tracing

import (
	"sync"

	"google.golang.org/grpc"
)

// lifetime ends the operation of a stream, once.
//
// A stream ends for its user when receiving returns an error, or its only response. It may also die while no goroutine
// receives: its context ends, or its connection is closed. The user need not touch it again, so it ends right then; but
// while a goroutine receives, the result of receiving decides.
type lifetime struct {
	finish func(err error, died bool) // called without the lock

	mu        sync.Mutex
	receiving int // how many are inside the stream
	attempts  int // how many attempts of a call are under way
	dead      bool
	cause     error
	ended     bool
}

// enter notes that a goroutine is inside the stream.
func (l *lifetime) enter() {
	l.mu.Lock()
	l.receiving++
	l.mu.Unlock()
}

// leave notes that a goroutine came out with err, and whether that was the end of the stream.
func (l *lifetime) leave(last bool, err error) {
	l.mu.Lock()
	l.receiving--
	if last {
		l.endLocked(err, false)
		return
	}
	l.buryLocked()
}

// die notes that the stream is dead, even if a goroutine is inside.
func (l *lifetime) die(err error) {
	l.mu.Lock()
	l.dieLocked(err)
	l.buryLocked()
}

// attemptBegan notes that a call is tried again: what killed the attempts before does not count any more.
func (l *lifetime) attemptBegan() {
	l.mu.Lock()
	l.attempts++
	l.dead, l.cause = false, nil
	l.mu.Unlock()
}

// attemptEnded notes that an attempt is over. One that died takes its call along, unless a goroutine is inside the
// call, or another attempt under way, to decide otherwise.
func (l *lifetime) attemptEnded(err error, died bool) {
	l.mu.Lock()
	l.attempts--
	if died {
		l.dieLocked(err)
	}
	l.buryLocked()
}

func (l *lifetime) dieLocked(err error) {
	if !l.dead {
		l.dead, l.cause = true, err
	}
}

// buryLocked ends a dead stream that no goroutine is inside of, and unlocks.
func (l *lifetime) buryLocked() {
	if l.dead && l.receiving == 0 && l.attempts == 0 {
		l.endLocked(l.cause, true)
		return
	}
	l.mu.Unlock()
}

// endLocked ends the stream unless it has ended, and unlocks.
func (l *lifetime) endLocked(err error, died bool) {
	first := !l.ended
	l.ended = true
	l.mu.Unlock()
	if first {
		l.finish(err, died)
	}
}

// open opens the stream that the lifetime is about. The caller has entered it.
func (l *lifetime) open(desc *grpc.StreamDesc, open func() (grpc.ClientStream, error)) (grpc.ClientStream, error) {
	err := error(unwound{})
	defer func() { l.leave(err != nil, err) }()
	var stream grpc.ClientStream
	if stream, err = open(); err != nil {
		return nil, err
	}
	return &clientStream{ClientStream: stream, life: l, single: !desc.ServerStreams}, nil
}
