package framework

import (
	"fmt"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

// policySource is files of another kind than the configuration that state policies, and what of them is in force.
type policySource struct {
	files policy.Files
	watched
	layers []policy.Layer
	users  []auth.UserRule // of the content in force
	notes  []policy.Note
}

func (s *policySource) glance() glance {
	data, err := s.files.Read()
	if err != nil {
		err = fmt.Errorf("policies from %v: %w", s.files, err)
	}
	return glance{data, err}
}

// parse reads a new content, which must not look like a part of the one in force.
func (s *policySource) parse(seen glance) (*parsed, error) {
	if seen.err != nil {
		return nil, seen.err
	}
	if files, ok := s.files.(policy.LossyFiles); ok {
		if err := files.Lost(s.data, seen.data); err != nil {
			return nil, err
		}
	}
	layers, notes, err := s.files.Parse(seen.data)
	if err != nil {
		return nil, err
	}
	users, err := userRulesOf(s.files, seen.data)
	return &parsed{data: seen.data, layers: layers, users: users, notes: notes}, err
}

func (s *policySource) adoptNotes(notes []policy.Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = notes
}

func (s *policySource) currentNotes() []policy.Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes
}
