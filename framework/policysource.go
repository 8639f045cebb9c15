package framework

import (
	"fmt"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

// UserFiles are [policy.Files] that also state who vouches for end users, and where calls carry their tokens, such as
// those of a mesh. A source of [WithPolicySource] or [WithPolicyFormat] may be one. The rules take effect with the
// policies: what they take away at the first look, the rest at the second.
type UserFiles interface {
	policy.Files
	// UserRules returns the rules that a content states. Its error is that of Parse.
	UserRules(content []byte) ([]auth.UserRule, error)
}

// userRulesOf returns the rules of a content of files, none where files state no rules.
func userRulesOf(files policy.Files, content []byte) ([]auth.UserRule, error) {
	if files, ok := files.(UserFiles); ok {
		return files.UserRules(content)
	}
	return nil, nil
}

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
