package auth

import (
	"runtime"
	"sync"
	"weak"
)

// channelSet knows the channels of an Identity without keeping them: a channel lives as long as its ClientConn.
type channelSet struct {
	mu       sync.Mutex
	channels map[weak.Pointer[Channel]]struct{}
}

func (s *channelSet) add(c *Channel) {
	p := weak.Make(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels == nil {
		s.channels = map[weak.Pointer[Channel]]struct{}{}
	}
	s.channels[p] = struct{}{}
	runtime.AddCleanup(c, s.remove, p)
}

func (s *channelSet) remove(p weak.Pointer[Channel]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.channels, p)
}

func (s *channelSet) all() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	channels := make([]*Channel, 0, len(s.channels))
	for p := range s.channels {
		if c := p.Value(); c != nil {
			channels = append(channels, c)
		}
	}
	return channels
}
