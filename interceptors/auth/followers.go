package auth

import (
	"runtime"
	"sync"
	"weak"
)

// follower is what must know that the workload has another credential.
type follower struct{ changed func() }

// followers knows the followers of a workload without keeping them: the channel that one stands in lives as long as its
// ClientConn.
type followers struct {
	mu  sync.Mutex
	all map[weak.Pointer[follower]]struct{}
}

func (s *followers) add(f *follower) {
	p := weak.Make(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[weak.Pointer[follower]]struct{}{}
	}
	s.all[p] = struct{}{}
	runtime.AddCleanup(f, s.remove, p)
}

func (s *followers) remove(p weak.Pointer[follower]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, p)
}

// tell tells all of them.
func (s *followers) tell() {
	s.mu.Lock()
	following := make([]*follower, 0, len(s.all))
	for p := range s.all {
		if f := p.Value(); f != nil {
			following = append(following, f)
		}
	}
	s.mu.Unlock()
	for _, f := range following {
		f.changed()
	}
}
