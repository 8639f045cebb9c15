package istio

import (
	"slices"

	"github.com/parley-rpc/parley/policy"
)

// ruleSet is rules, and which of them may be about which methods. Most rules name methods, and a reload compiles the
// rules of a whole mesh for each of them.
type ruleSet struct {
	rules    []ruleFor
	byPath   map[string][]int // rules all of whose paths are written out
	byPrefix affixes
	bySuffix affixes
	others   []int
}

// affixes are rules by the beginnings, or the ends, of paths.
type affixes struct {
	rules   map[string][]int
	lengths []int // of the keys
}

func newRuleSet(rules []ruleFor) ruleSet {
	s := ruleSet{
		rules: rules, byPath: map[string][]int{}, byPrefix: affixes{rules: map[string][]int{}},
		bySuffix: affixes{rules: map[string][]int{}},
	}
	for i := range rules {
		patterns, ok := rules[i].paths()
		if !ok {
			s.others = append(s.others, i)
			continue
		}
		for _, p := range patterns {
			switch p.kind { //nolint:exhaustive // paths returns no others
			case matchExact:
				s.byPath[p.text] = append(s.byPath[p.text], i)
			case matchPrefix:
				s.byPrefix.add(p.text, i)
			case matchSuffix:
				s.bySuffix.add(p.text, i)
			}
		}
	}
	return s
}

func (a *affixes) add(text string, rule int) {
	if !slices.Contains(a.lengths, len(text)) {
		a.lengths = append(a.lengths, len(text))
	}
	a.rules[text] = append(a.rules[text], rule)
}

// of returns the rules about one method, in their order. What is the same for every method is shared.
func (s *ruleSet) of(method string) []*rule {
	path := pathOf(method)
	numbers := slices.Concat(s.byPath[path], s.others)
	for _, n := range s.byPrefix.lengths {
		if n <= len(path) {
			numbers = append(numbers, s.byPrefix.rules[path[:n]]...)
		}
	}
	for _, n := range s.bySuffix.lengths {
		if n <= len(path) {
			numbers = append(numbers, s.bySuffix.rules[path[len(path)-n:]]...)
		}
	}
	slices.Sort(numbers)
	call := policy.Call{Method: method}
	var left []*rule
	for _, i := range slices.Compact(numbers) {
		to, ok := s.rules[i].operationsOf(&call)
		switch {
		case !ok:
		case to == nil:
			left = append(left, &s.rules[i].rule)
		default:
			r := s.rules[i].rule
			r.to = to
			left = append(left, &r)
		}
	}
	return left
}

// paths are the patterns of the paths that the rule is about: whole paths, beginnings and ends. It reports false where
// one of its operations may be about any path.
func (r *ruleFor) paths() ([]pattern, bool) {
	var paths []pattern
	for _, o := range r.to {
		written := false
		for _, c := range o.method {
			plain := !slices.ContainsFunc(c.values.patterns, func(p pattern) bool {
				return p.kind != matchExact && p.kind != matchPrefix && p.kind != matchSuffix
			})
			if c.attribute == attributePath && c.values.stated && plain {
				written = true
				paths = append(paths, c.values.patterns...)
			}
		}
		if !written {
			return nil, false
		}
	}
	return paths, len(r.to) > 0
}
