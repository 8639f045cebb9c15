package auth

import "sync"

// linkSet holds the links of an Identity that are alive, so that a change of trust reaches them.
type linkSet struct {
	mu     sync.Mutex
	links  map[*link]struct{}
	closed bool
}

// add takes a link in. It reports false when the set is closed: the link must end then.
func (s *linkSet) add(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.links == nil {
		s.links = make(map[*link]struct{})
	}
	s.links[l] = struct{}{}
	return true
}

func (s *linkSet) remove(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

func (s *linkSet) all() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := make([]*link, 0, len(s.links))
	for l := range s.links {
		links = append(links, l)
	}
	return links
}

// close refuses further links and returns those that are there.
func (s *linkSet) close() []*link {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.all()
}
