package protoyaml

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// target leads to a value of a message.
type target struct {
	path  path
	steps []hop
}

// hop goes to a field and, in a map, on to an entry.
type hop struct {
	field protoreflect.FieldDescriptor
	key   protoreflect.MapKey
}

func (t target) to(field protoreflect.FieldDescriptor) target {
	return target{
		path:  t.path.toField(string(field.Name())),
		steps: append(slices.Clip(t.steps), hop{field: field}),
	}
}

func (t target) entry(key protoreflect.MapKey) target {
	steps := slices.Clone(t.steps)
	steps[len(steps)-1].key = key
	return target{path: t.path.toKey(key.String()), steps: steps}
}

// set puts the value that text states into root, or says what is wrong with the text.
func (t target) set(root protoreflect.Message, text string) string {
	m, last := root, t.steps[len(t.steps)-1]
	for _, s := range t.steps[:len(t.steps)-1] {
		if s.field.IsMap() {
			m = m.Mutable(s.field).Map().Mutable(s.key).Message()
		} else {
			m = m.Mutable(s.field).Message()
		}
	}
	switch {
	case last.field.IsMap():
		value, problem := parse(last.field.MapValue(), text)
		if problem == "" {
			m.Mutable(last.field).Map().Set(last.key, value)
		}
		return problem
	case last.field.IsList():
		return setList(m, last.field, text)
	default:
		value, problem := parse(last.field, text)
		if problem == "" {
			m.Set(last.field, value)
		}
		return problem
	}
}

func setList(m protoreflect.Message, field protoreflect.FieldDescriptor, text string) string {
	values := m.NewField(field).List()
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return "an item is empty; separate the values with single commas, or unset the variable"
		}
		value, problem := parse(field, item)
		if problem != "" {
			return problem
		}
		values.Append(value)
	}
	m.Set(field, protoreflect.ValueOfList(values))
	return ""
}

// search collects what the rest of a variable's name could mean.
type search struct {
	values   []target
	sections []target
	missing  []missing
}

// missing is an entry that a name asks for and that its map does not hold.
type missing struct {
	target  target
	problem string
}

func (s *search) message(m protoreflect.Message, at target, rest string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := Spell(string(field.Name()))
		inside, ok := strings.CutPrefix(rest, name+"_")
		switch {
		case rest == name && isSection(field):
			s.sections = append(s.sections, at.to(field))
		case rest == name:
			s.values = append(s.values, at.to(field))
		case !ok:
		case field.IsMap():
			s.entries(m.Get(field).Map(), at.to(field), inside)
		case isSection(field) && field.IsList():
			s.sections = append(s.sections, at.to(field))
		case isSection(field):
			s.message(m.Get(field).Message(), at.to(field), inside)
		}
	}
}

func (s *search) entries(entries protoreflect.Map, at target, rest string) {
	value := at.steps[len(at.steps)-1].field.MapValue()
	section := value.Message() != nil && !isScalar(value.Message())
	before := len(s.values) + len(s.sections)
	named := false // whether the variable names an entry that the map holds
	var names []string
	entries.Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
		name := Spell(key.String())
		names = append(names, show(key.String()))
		inside, ok := strings.CutPrefix(rest, name+"_")
		switch {
		case rest == name && section:
			s.sections = append(s.sections, at.entry(key))
		case rest == name:
			s.values = append(s.values, at.entry(key))
		case ok && section:
			named = true
			s.message(entry.Message(), at.entry(key), inside)
		}
		return true
	})
	if section && len(s.values)+len(s.sections) == before {
		s.newEntry(entries, at, rest)
	}
	if named || len(s.values)+len(s.sections) > before {
		return
	}
	held := "it has no entries"
	if len(names) > 0 {
		slices.Sort(names)
		held = "it has " + list(names)
	}
	s.missing = append(s.missing, missing{at, "no entry and no value of one has this name; " + held +
		"; write the name of the entry, an underscore, and the path of the value"})
}

// newEntry finds the values of an entry that the map does not hold yet. A variable cannot spell its name exactly, so it
// gets the usual form: lower case, with dashes.
func (s *search) newEntry(entries protoreflect.Map, at target, rest string) {
	field := at.steps[len(at.steps)-1].field
	if field.MapKey().Kind() != protoreflect.StringKind {
		return
	}
	for i, r := range rest {
		if r != '_' || i == 0 {
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(rest[:i], "_", "-"))
		key := protoreflect.ValueOfString(name).MapKey()
		s.message(entries.NewValue().Message(), at.entry(key), rest[i+1:])
	}
}

// Spell writes a part of a path as variables do.
func Spell(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		default:
			return '_'
		}
	}, name)
}

// isSection reports whether a field holds more than a scalar or a list of scalars.
func isSection(field protoreflect.FieldDescriptor) bool {
	return field.IsMap() || field.Message() != nil && !isScalar(field.Message())
}
