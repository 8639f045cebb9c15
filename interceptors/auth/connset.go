package auth

import (
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// connSet knows the ClientConns that make calls through a channel: one, unless options were used twice.
type connSet struct {
	last atomic.Pointer[grpc.ClientConn]

	mu    sync.Mutex
	conns map[*grpc.ClientConn]struct{}
}

// see remembers cc. For the one that was seen last it is a comparison.
func (s *connSet) see(cc *grpc.ClientConn) {
	if cc == nil || s.last.Load() == cc {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[*grpc.ClientConn]struct{}, 1)
	}
	if _, known := s.conns[cc]; !known {
		for old := range s.conns {
			if old.GetState() == connectivity.Shutdown {
				delete(s.conns, old)
			}
		}
		s.conns[cc] = struct{}{}
	}
	s.last.Store(cc)
}

// resetBackoff makes every ClientConn try to connect again at once.
func (s *connSet) resetBackoff() {
	s.mu.Lock()
	conns := make([]*grpc.ClientConn, 0, len(s.conns))
	for cc := range s.conns {
		conns = append(conns, cc)
	}
	s.mu.Unlock()
	for _, cc := range conns {
		cc.ResetConnectBackoff()
	}
}
