package tracing

import (
	"sync"

	"google.golang.org/grpc"
)

// lifetime ends the operation of a stream, once.
//
// A stream ends for its user when receiving returns an error, or its only response. It may also end while no goroutine
// receives, because its context ends or its connection is closed. The user may never use it again, so it ends at that
// moment. While a goroutine receives, the result of receiving decides.
type lifetime struct {
	finish func(err error, died bool) // called without the lock

	mu        sync.Mutex
	receiving int // the number of goroutines inside of the stream
	attempts  int // the number of running attempts of the call
	dead      bool
	cause     error
	ended     bool
}

// enter records that a goroutine is inside of the stream.
func (l *lifetime) enter() {
	l.mu.Lock()
	l.receiving++
	l.mu.Unlock()
}

// leave records that a goroutine has left with err, and whether that is the end of the stream.
func (l *lifetime) leave(last bool, err error) {
	l.mu.Lock()
	l.receiving--
	if last {
		l.endLocked(err, false)
		return
	}
	l.buryLocked()
}

// die records that the stream is dead, even if a goroutine is inside.
func (l *lifetime) die(err error) {
	l.mu.Lock()
	l.dieLocked(err)
	l.buryLocked()
}

// attemptBegan records that the call is retried. The errors of earlier attempts no longer matter.
func (l *lifetime) attemptBegan() {
	l.mu.Lock()
	l.attempts++
	l.dead, l.cause = false, nil
	l.mu.Unlock()
}

// attemptEnded records the end of an attempt. If the attempt died, the call ends, too, unless a goroutine is inside of
// the call or another attempt runs.
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

// open opens the stream of the lifetime. The caller has entered it.
func (l *lifetime) open(desc *grpc.StreamDesc, open func() (grpc.ClientStream, error)) (grpc.ClientStream, error) {
	err := error(unwound{})
	defer func() { l.leave(err != nil, err) }()
	var stream grpc.ClientStream
	if stream, err = open(); err != nil {
		return nil, err
	}
	return &clientStream{ClientStream: stream, life: l, single: !desc.ServerStreams}, nil
}
