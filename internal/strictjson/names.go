package strictjson

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCompared is how many names of one object are compared with each other in pairs. Few tokens have more, and beyond it
// the cost would grow with the square of the number of names, which a forger chooses.
const maxCompared = 16

// nameSet is the names of one object that has more than maxCompared.
type nameSet struct {
	folded map[string]struct{}
	exact  map[string]struct{} // where names that differ in case alone are two names
}

// isDuplicate reports whether an earlier member of the same object bears the name. Set is that of the object, nil until
// the object has many names.
func (s *scanner) isDuplicate(name string, outermost bool, open int, set **nameSet) bool {
	count := len(s.names) - open
	if outermost {
		count = len(s.members)
	}
	switch {
	case count >= maxCompared:
		if *set == nil {
			*set = s.setOf(outermost, open)
		}
		return s.add(*set, name)
	case outermost:
		for i := range s.members {
			if s.same(s.members[i].Name, name) {
				return true
			}
		}
	default:
		for _, other := range s.names[open:] {
			if s.same(other, name) {
				return true
			}
		}
	}
	return false
}

// setOf returns the names that the object has so far.
func (s *scanner) setOf(outermost bool, open int) *nameSet {
	set := s.spare
	if s.spare = nil; set == nil {
		set = &nameSet{folded: map[string]struct{}{}}
		if s.cased {
			set.exact = map[string]struct{}{}
		}
	}
	if !outermost {
		for _, name := range s.names[open:] {
			s.add(set, name)
		}
		return set
	}
	for i := range s.members {
		s.add(set, s.members[i].Name)
	}
	return set
}

// release keeps the set of an object that has ended for the next one.
func (s *scanner) release(set *nameSet) {
	if set != nil {
		clear(set.folded)
		clear(set.exact)
		s.spare = set
	}
}

// same reports whether two names of one object are one.
func (s *scanner) same(a, b string) bool {
	s.comparisons++
	if !strings.EqualFold(a, b) {
		return false
	}
	if s.cased && a != b {
		s.shape.CaseVariants = true
		return false
	}
	return true
}

// add adds a name to those of its object, and reports whether it was among them.
func (s *scanner) add(set *nameSet, name string) bool {
	s.comparisons++
	folded := fold(name)
	_, known := set.folded[folded]
	set.folded[folded] = struct{}{}
	if !s.cased {
		return known
	}
	_, twice := set.exact[name]
	set.exact[name] = struct{}{}
	s.shape.CaseVariants = s.shape.CaseVariants || known && !twice
	return twice
}

// fold returns a text that two names share exactly when strings.EqualFold takes them for equal. A name in lower case
// ASCII is its own.
func fold(name string) string { return strings.Map(foldRune, name) }

// foldRune returns one of the characters that differ from r in case alone: the lower case letter of ASCII, or else the
// least.
func foldRune(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
