package protoyaml

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// ApplyEnv overrides values of m with the variables in environ, "KEY=value" entries, whose names begin with prefix and
// an underscore. The name of a value is its path in upper case, with an underscore for each dot and for whatever is
// neither a letter nor a digit: with prefix PARLEY, clients.payments.target is PARLEY_CLIENTS_PAYMENTS_TARGET. A
// variable that names an entry of a map of sections which m does not hold adds it, under the name in lower case with
// dashes for underscores. The values of a list are separated by commas and replace the whole list. ApplyEnv returns
// which variable stated which path, as "env PARLEY_CLIENTS_PAYMENTS_TARGET".
//
// Its error joins a [Mistake] for each variable that names nothing or has a wrong value; m is then left as it was.
func ApplyEnv(prefix string, environ []string, m proto.Message) (Places, error) {
	e := &environment{prefix: prefix + "_", root: m.ProtoReflect()}
	var places Places
	var wrong mistakes
	variables := e.variables(environ)
	if len(variables) == 0 {
		return places, nil
	}
	changed := proto.Clone(m)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		source := "env " + name
		t, problem := e.find(name)
		if problem == "" {
			problem = t.set(changed.ProtoReflect(), variables[name])
		}
		if problem != "" {
			wrong.add(source, t.path.String(), problem)
			continue
		}
		places.add(t.path, source, 0)
	}
	if err := wrong.join(); err != nil {
		return Places{}, err
	}
	proto.Reset(m)
	proto.Merge(m, changed)
	return places, nil
}

// environment finds the values that variables name.
type environment struct {
	prefix string
	root   protoreflect.Message
}

// variables returns the variables that begin with the prefix. Of a name that stands there twice, the last value
// counts, as for the process.
func (e *environment) variables(environ []string) map[string]string {
	picked := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, e.prefix) {
			picked[name] = value
		}
	}
	return picked
}

// find returns the one value that a variable names, or what is wrong with the name.
func (e *environment) find(name string) (target, string) {
	var s search
	s.message(e.root, target{}, strings.TrimPrefix(name, e.prefix))
	switch {
	case len(s.values) == 1:
		return s.values[0], ""
	case len(s.values) > 1:
		var paths []string
		for _, t := range s.values {
			paths = append(paths, t.path.String())
		}
		slices.Sort(paths)
		return target{}, "the name could mean " + strings.Join(paths, " or ") + "; state them in the file"
	case len(s.sections) > 0:
		return s.sections[0], "this is a section, not a value; name a value in it, or state it in the file"
	case len(s.missing) > 0:
		return s.missing[0].target, s.missing[0].problem
	}
	if near := nearest.Of(name, e.known(e.root, strings.TrimSuffix(e.prefix, "_"), nil)); near != "" {
		return target{}, "no value has this name; did you mean " + near + "?"
	}
	return target{}, "no value has this name; it is the path of a value in upper case, as " + e.prefix + "SECTION_VALUE"
}

// known lists the names of all values that can be named.
func (e *environment) known(m protoreflect.Message, prefix string, outer []protoreflect.FullName) []string {
	if slices.Contains(outer, m.Descriptor().FullName()) {
		return nil // a message inside itself: once is enough for a hint
	}
	outer = append(slices.Clip(outer), m.Descriptor().FullName())
	var names []string
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field, name := fields.Get(i), prefix+"_"+Spell(string(fields.Get(i).Name()))
		switch {
		case field.IsMap():
			m.Get(field).Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
				if field.MapValue().Message() != nil && !isScalar(field.MapValue().Message()) {
					names = append(names, e.known(value.Message(), name+"_"+Spell(key.String()), outer)...)
				} else {
					names = append(names, name+"_"+Spell(key.String()))
				}
				return true
			})
		case !isSection(field):
			names = append(names, name)
		case !field.IsList():
			names = append(names, e.known(m.Get(field).Message(), name, outer)...)
		}
	}
	slices.Sort(names)
	return names
}
