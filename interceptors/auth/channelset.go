package auth

import (
	"slices"
	"sync"
	"weak"
)

// channelSet knows the channels of an Identity without keeping them: a channel lives as long as its ClientConn.
type channelSet struct {
	mu       sync.Mutex
	channels []weak.Pointer[Channel]
}

func (s *channelSet) add(c *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels = slices.DeleteFunc(s.channels, func(p weak.Pointer[Channel]) bool { return p.Value() == nil })
	s.channels = append(s.channels, weak.Make(c))
}

func (s *channelSet) all() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	channels := make([]*Channel, 0, len(s.channels))
	for _, p := range s.channels {
		if c := p.Value(); c != nil {
			channels = append(channels, c)
		}
	}
	return channels
}
