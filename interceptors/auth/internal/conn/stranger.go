package conn

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

var (
	errTooMuch = errors.New("auth: closed, since it sent too much of requests before it had proven anything")
	errTooLong = errors.New("auth: closed, since a request took too long before it had proven anything")
)

const messagePrefix = 5 // of a gRPC message: a flag, and the length

// stranger follows the requests of a server's connection that has proven nothing. GRPC reads a request to its end
// before anything of ours is asked, so what strangers leave unfinished is bounded here.
type stranger struct {
	visitor *Visitor

	mu      sync.Mutex
	magic   int // bytes of the preface that were skipped
	frames  frames
	answers frames              // of the server
	streams map[uint32]*message // the requests that are not finished
	held    int
	timer   *time.Timer // while a request is not finished
	gone    bool        // the connection is known, or closed
}

// message is the message of a request that is being received.
type message struct {
	prefix  [messagePrefix]byte
	known   int // bytes of the prefix
	missing int // bytes of the message
	held    int
}

// take takes bytes that were read. An error ends the connection.
func (s *stranger) take(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil
	}
	n := min(clientMagicLength-s.magic, len(b))
	s.magic += n
	b = b[n:]
	for len(b) > 0 {
		n := min(len(b), s.frames.left())
		if s.frames.body > 0 {
			s.body(b[:n])
		}
		s.frames.skip(b[:n])
		if s.frames.known == 0 {
			s.frame()
		}
		b = b[n:]
	}
	return s.judge()
}

func (s *stranger) id() uint32 { return streamOf(s.frames.header) }

// frame is called with each frame: behind its header, and behind each part of its body.
func (s *stranger) frame() {
	kind, flags := s.frames.header[3], s.frames.header[4]
	switch {
	case kind == frameHeaders && flags&flagEndStream == 0:
		if s.streams == nil {
			s.streams = map[uint32]*message{}
		}
		if s.streams[s.id()] == nil {
			s.streams[s.id()] = &message{}
		}
	case s.frames.body > 0:
	case kind == frameReset, kind == frameHeaders, kind == frameData && flags&flagEndStream != 0:
		s.finish(s.id())
	default:
	}
}

func (s *stranger) finish(stream uint32) {
	if m := s.streams[stream]; m != nil {
		s.held -= m.held
		delete(s.streams, stream)
	}
}

// answer follows what the server writes: a stream that it ends is finished, whatever the client still has to say.
func (s *stranger) answer(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.gone && len(b) > 0 {
		n := min(len(b), s.answers.left())
		header := s.answers.body == 0
		s.answers.skip(b[:n])
		if kind := s.answers.header[3]; header && s.answers.known == 0 &&
			(kind == frameReset || kind == frameHeaders && s.answers.header[4]&flagEndStream != 0) {
			s.finish(streamOf(s.answers.header))
		}
		b = b[n:]
	}
}

func streamOf(header [frameHeaderLength]byte) uint32 {
	return binary.BigEndian.Uint32(header[5:]) & (1<<31 - 1)
}

// body follows the message in a part of a DATA frame. Padding, which no client of gRPC sends, counts as message.
func (s *stranger) body(b []byte) {
	m := s.streams[s.id()]
	if s.frames.header[3] != frameData || m == nil {
		return
	}
	for len(b) > 0 {
		if m.known < messagePrefix {
			n := copy(m.prefix[m.known:], b)
			m.known += n
			b = b[n:]
			if m.known == messagePrefix {
				m.missing = int(binary.BigEndian.Uint32(m.prefix[1:]))
			}
		}
		n := min(m.missing, len(b))
		m.missing -= n
		m.held += n
		s.held += n
		b = b[n:]
		if m.known == messagePrefix && m.missing == 0 {
			s.held -= m.held
			*m = message{}
		}
	}
}

func (s *stranger) judge() error {
	is, evicted := s.visitor.hold(s.held)
	switch {
	case evicted != nil:
		s.end()
		return evicted
	case !is:
		s.end()
		return nil
	case s.held > maxStrangerBytes:
		return s.expel(errTooMuch)
	}
	if s.held > 0 && s.timer == nil {
		s.timer = time.AfterFunc(strangerTime, func() { s.visitor.expel(errTooLong) })
	} else if s.held == 0 && s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return nil
}

func (s *stranger) expel(why error) error {
	s.end()
	s.visitor.expel(why)
	return why
}

func (s *stranger) end() {
	s.gone, s.streams = true, nil
	if s.timer != nil {
		s.timer.Stop()
	}
}

// close gives the place back.
func (s *stranger) close() {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	_ = s.visitor.Release()
}
