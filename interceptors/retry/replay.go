package retry

import (
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ReplayMemory limits the memory for the sent messages that several Retriers keep for further attempts of their
// streams. Give one to all Retriers of a process, see [WithReplayMemory]. It is safe for concurrent use.
type ReplayMemory struct {
	limit int64
	used  atomic.Int64
}

// NewReplayMemory returns a bound of so many bytes. With 0 bytes, a stream is not retried after it has sent a message.
func NewReplayMemory(bytes int64) *ReplayMemory { return &ReplayMemory{limit: bytes} }

// DefaultReplayMemory is a new bound of 64 MiB.
func DefaultReplayMemory() *ReplayMemory { return NewReplayMemory(defaultReplayMemory) }

// take reserves n bytes, if there is room for them.
func (m *ReplayMemory) take(n int) bool {
	if m.used.Add(int64(n)) <= m.limit {
		return true
	}
	m.used.Add(-int64(n))
	return false
}

func (m *ReplayMemory) give(n int) { m.used.Add(-int64(n)) }

// WithReplayMemory makes the Retrier share a bound with others. By default it has one of its own,
// [DefaultReplayMemory].
func WithReplayMemory(m *ReplayMemory) Option {
	return option{"retry.WithReplayMemory(...)", func(c *config) { c.settings.memory = m }}
}

// WithReplayLimit sets the maximum size of the sent messages that one stream keeps, in bytes. It includes 64 bytes of
// bookkeeping for each message. A stream that sends more goes on, but is not retried any more. It must not be negative;
// with 0 nothing is kept. The default is 256 KiB, that of gRPC's own retry.
func WithReplayLimit(bytes int) Option {
	return option{fmt.Sprintf("retry.WithReplayLimit(%d)", bytes), func(c *config) { c.settings.replayLimit = bytes }}
}

// mendReplay replaces what cannot be used.
func (e *settings) mendReplay() error {
	var errs []error
	if e.memory == nil || e.memory.limit < 0 {
		errs = append(
			errs,
			errors.New("retry.WithReplayMemory: the memory is nil or negative; leave the option out to have one of 64 MiB"),
		)
		e.memory = DefaultReplayMemory()
	}
	if e.replayLimit < 0 {
		errs = append(errs, fmt.Errorf("retry.WithReplayLimit: %d is negative; say 0 to keep nothing", e.replayLimit))
		e.replayLimit = 0
	}
	return errors.Join(errs...)
}

// frame is a message as an attempt has encoded it, before compression.
type frame struct {
	data []byte
	kind protoreflect.MessageType // nil if it is no protobuf message

	whole bool // data is the message
}

// kindOf is the type of a protobuf message, so that one can be made for interceptors to see when it is sent again.
func kindOf(m any) protoreflect.MessageType {
	if p, ok := m.(proto.Message); ok {
		return p.ProtoReflect().Type()
	}
	return nil
}

// replay has the sent messages of a stream, which may have to be sent again. The mutex of the stream guards it.
type replay struct {
	memory *ReplayMemory
	limit  int
	size   int
	frames []frame
}

// room is the longest message that could be kept now.
func (r *replay) room() int { return r.limit - r.size - frameBytes }

// keep adds a message, if there is room for it.
func (r *replay) keep(f frame) bool {
	n := len(f.data) + frameBytes
	if r.size+n > r.limit || !r.memory.take(n) {
		return false
	}
	r.size += n
	r.frames = append(r.frames, f)
	return true
}

// drop forgets everything.
func (r *replay) drop() {
	r.memory.give(r.size)
	r.size, r.frames = 0, nil
}
