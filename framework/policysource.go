package framework

import (
	"fmt"

	"github.com/parley-rpc/parley/policy"
)

// policySource is files of another kind than the configuration that state policies, and what of them is in force.
type policySource struct {
	files policy.Files
	watched
	layers []policy.Layer
	notes  []policy.Note
}

func (s *policySource) glance() glance {
	data, err := s.files.Read()
	if err != nil {
		err = fmt.Errorf("policies from %v: %w", s.files, err)
	}
	return glance{data, err}
}

// parse reads the layers of a content that one look has seen.
func (s *policySource) parse(seen glance) ([]policy.Layer, error) {
	if seen.err != nil {
		return nil, seen.err
	}
	layers, _, err := s.files.Parse(seen.data)
	return layers, err
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
