package strictjson

import "strings"

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// Limits say how far a text may go beyond what [Read] reads.
type Limits struct {
	// Members is how many members an object may have.
	Members int
	// CaseVariants allows names in one object that differ in case alone.
	CaseVariants bool
}

// Shape is what a text has of that for which there are [Limits].
type Shape struct {
	// Members is the largest number of members of one object.
	Members int
	// CaseVariants reports whether names in one object differ in case alone.
	CaseVariants bool
}

// scanner reads a JSON text (RFC 8259) once from left to right and refuses whatever two parsers could understand
// differently. It does not call itself deeper than maxDepth.
type scanner struct {
	text    string
	at      int
	depth   int
	limit   int      // members that an object may have
	members []Member // of the outermost object
	names   []string // of the inner objects that are open, innermost last
	shallow bool     // members of inner objects are neither counted nor compared
	cased   bool     // names that differ in case alone are two names
	shape   Shape    // what was met
	spare   *nameSet // empty, for the next object with many names

	comparisons int // of names, by which a test finds how their cost grows
}

// scan reads the whole text and returns the members of its one object.
func (s *scanner) scan() ([]Member, error) {
	s.space()
	if s.peek() != '{' {
		return nil, s.fail("no object")
	}
	if err := s.object(); err != nil {
		return nil, err
	}
	s.space()
	if s.at != len(s.text) {
		return nil, s.fail("bytes after the object")
	}
	return s.members, nil
}

func (s *scanner) fail(problem string) error { return &SyntaxError{Offset: s.at, Problem: problem} }

// peek returns the next byte, or 0 at the end. A 0 byte in the text means nothing to any caller either.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) value() (kind, error) {
	switch c := s.peek(); c {
	case '{':
		return kindObject, s.object()
	case '[':
		return kindArray, s.array()
	case '"':
		return kindString, s.string()
	case 't':
		return kindBool, s.word("true")
	case 'f':
		return kindBool, s.word("false")
	case 'n':
		return kindNull, s.word("null")
	default:
		return kindNumber, s.number()
	}
}

func (s *scanner) word(word string) error {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return s.fail("no value")
	}
	s.at += len(word)
	return nil
}

func (s *scanner) enter() error {
	if s.depth == maxDepth {
		return s.fail("nested too deep")
	}
	s.depth++
	s.at++
	s.space()
	return nil
}

func (s *scanner) array() error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.leave()
		return nil
	}
	for {
		if _, err := s.value(); err != nil {
			return err
		}
		switch more, err := s.separator(']'); {
		case err != nil:
			return err
		case !more:
			return nil
		}
	}
}

func (s *scanner) object() error {
	if err := s.enter(); err != nil {
		return err
	}
	outermost, open := s.depth == 1, len(s.names)
	if s.peek() == '}' {
		s.leave()
		return nil
	}
	var set *nameSet
	for count := 1; ; count++ {
		if count > s.limit && (outermost || !s.shallow) {
			return s.fail("too many members")
		}
		name, err := s.name(outermost, open, &set)
		if err != nil {
			return err
		}
		start := s.at
		kind, err := s.value()
		if err != nil {
			return err
		}
		if outermost {
			s.members = append(s.members, Member{Name: name, Value: Value{s.text[start:s.at], kind}})
		}
		switch more, err := s.separator('}'); {
		case err != nil:
			return err
		case !more:
			s.names = s.names[:open]
			s.release(set)
			s.shape.Members = max(s.shape.Members, count)
			return nil
		}
	}
}

// separator reads what may follow a value: a comma, after which it reports true, or the closing byte.
func (s *scanner) separator(closing byte) (bool, error) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return true, nil
	case closing:
		s.leave()
		return false, nil
	default:
		return false, s.fail("neither comma nor end")
	}
}

func (s *scanner) leave() {
	s.at++
	s.depth--
}

// name reads a member's name and the colon. A name that an earlier member of the same object bears, in whatever case,
// is refused: encoding/json, for one, takes "EXP" for "exp".
func (s *scanner) name(outermost bool, open int, set **nameSet) (string, error) {
	start := s.at
	if s.peek() != '"' {
		return "", s.fail("no member name")
	}
	if err := s.string(); err != nil {
		return "", err
	}
	name := unquote(s.text[start:s.at])
	if outermost || !s.shallow {
		if s.isDuplicate(name, outermost, open, set) {
			return "", &SyntaxError{Offset: start, Problem: "duplicate member"}
		}
		if !outermost {
			s.names = append(s.names, name)
		}
	}
	s.space()
	if s.peek() != ':' {
		return "", s.fail("no colon after the member name")
	}
	s.at++
	s.space()
	return name, nil
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
