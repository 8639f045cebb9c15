package protoyaml

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// decoder reads a tree of YAML nodes into a message and collects mistakes and places on the way.
type decoder struct {
	file       string
	mayBeEmpty []protoreflect.FullName
	mistakes   mistakes
	root       place // of the message
}

func (d *decoder) wrong(n *yaml.Node, at *place, format string, args ...any) {
	d.mistakes.add(fmt.Sprintf("%s:%d:%d", d.file, n.Line, n.Column), at.path().String(), fmt.Sprintf(format, args...))
}

// stated notes that the value of a place is stated at n.
func (d *decoder) stated(n *yaml.Node, at *place) {
	at.source, at.line = d.file, n.Line
	at.above.adopt(at)
}

func (d *decoder) document(root *yaml.Node, m protoreflect.Message) {
	if root.ShortTag() == nullTag && root.Value == "" && root.Anchor == "" {
		return // nothing but comments
	}
	d.message(root, m, &d.root)
}

// message reads a mapping from field names to values.
func (d *decoder) message(n *yaml.Node, m protoreflect.Message, in *place) {
	if !d.want(n, yaml.MappingNode, in) {
		return
	}
	fields := m.Descriptor().Fields()
	d.entries(n, in, func(key, value *yaml.Node) {
		field := fields.ByName(protoreflect.Name(key.Value))
		if field == nil {
			d.unknown(key, fields, in)
			return
		}
		at := in.toField(key.Value)
		if oneof := field.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() && m.WhichOneof(oneof) != nil {
			d.wrong(key, at, "it excludes %q, which is stated as well; keep one of them", m.WhichOneof(oneof).Name())
			return
		}
		d.stated(key, at)
		d.field(value, m, field, at)
	})
}

func (d *decoder) unknown(key *yaml.Node, fields protoreflect.FieldDescriptors, at *place) {
	if near := nearest.Of(key.Value, fieldNames(fields)); near != "" {
		d.wrong(key, at, "unknown key %s; did you mean %q?", show(key.Value), near)
		return
	}
	d.wrong(key, at, "unknown key %s; the keys here are %s", show(key.Value), list(fieldNames(fields)))
}

// field reads the value of one field.
func (d *decoder) field(n *yaml.Node, m protoreflect.Message, field protoreflect.FieldDescriptor, at *place) {
	switch {
	case field.IsMap():
		d.mapping(n, m.Mutable(field).Map(), field, at)
	case field.IsList():
		d.list(n, m.Mutable(field).List(), field, at)
	default:
		if value, ok := d.single(n, m.NewField(field), field, at); ok {
			m.Set(field, value)
		}
	}
}

func (d *decoder) list(n *yaml.Node, values protoreflect.List, field protoreflect.FieldDescriptor, in *place) {
	if !d.want(n, yaml.SequenceNode, in) {
		return
	}
	if len(n.Content) == 0 && !slices.Contains(d.mayBeEmpty, field.FullName()) {
		d.wrong(n, in, "the list is empty, which would mean the same as no list; write its values, or remove the key")
		return
	}
	for i, item := range n.Content {
		at := in.toIndex(i)
		d.stated(item, at)
		var fresh protoreflect.Value
		if field.Message() != nil {
			fresh = values.NewElement()
		}
		if value, ok := d.single(item, fresh, field, at); ok {
			values.Append(value)
		}
		if d.mistakes.full() {
			return
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, values protoreflect.Map, field protoreflect.FieldDescriptor, in *place) {
	if !d.want(n, yaml.MappingNode, in) {
		return
	}
	d.entries(n, in, func(key, value *yaml.Node) {
		at := in.toKey(key.Value)
		read, problem := parse(field.MapKey(), key.Value)
		if problem != "" {
			d.wrong(key, in, "the key %s", problem)
			return
		}
		d.stated(key, at)
		var fresh protoreflect.Value
		if field.MapValue().Message() != nil {
			fresh = values.NewValue()
		}
		if value, ok := d.single(value, fresh, field.MapValue(), at); ok {
			values.Set(read.MapKey(), value)
		}
	})
}

// single reads a message into fresh, or a scalar.
func (d *decoder) single(
	n *yaml.Node,
	fresh protoreflect.Value,
	field protoreflect.FieldDescriptor,
	at *place,
) (protoreflect.Value, bool) {
	if m := field.Message(); m != nil && !isScalar(m) {
		d.message(n, fresh.Message(), at)
		return fresh, true
	}
	return d.scalar(n, field, at)
}

func (d *decoder) scalar(n *yaml.Node, field protoreflect.FieldDescriptor, at *place) (protoreflect.Value, bool) {
	if d.refused(n, at) {
		return protoreflect.Value{}, false
	}
	if n.Kind != yaml.ScalarNode || !fits(n.ShortTag(), field) {
		d.wrong(n, at, "want %s, got %s%s", wanted(field), got(n), hint(n, field))
		return protoreflect.Value{}, false
	}
	if m := field.Message(); m != nil && isValue(m) {
		value, problem := parseValue(n.ShortTag(), n.Value)
		if problem != "" {
			d.wrong(n, at, "%s", problem)
		}
		return value, problem == ""
	}
	value, problem := parse(field, n.Value)
	if problem != "" {
		d.wrong(n, at, "%s", problem)
		return protoreflect.Value{}, false
	}
	return value, true
}

// entries visits the entries of a mapping whose keys are strings, each key once.
func (d *decoder) entries(n *yaml.Node, at *place, visit func(key, value *yaml.Node)) {
	var known keys
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch first := known.find(key.Value); {
		case d.mistakes.full():
			return
		case key.ShortTag() == mergeTag:
			d.wrong(key, at, "merge keys are not supported; write the keys out")
		case d.refused(key, at):
		case key.Kind != yaml.ScalarNode || key.ShortTag() != stringTag || key.Value == "":
			d.wrong(key, at, "want a name as key, got %s%s", got(key), quotes(key))
		case first != nil:
			d.wrong(key, at, "the key %s is stated before, at line %d; keep one of them", show(key.Value), first.Line)
		default:
			known.add(key)
			visit(key, value)
		}
	}
}

// keys are the keys of a mapping.
type keys struct {
	few   [fewPlaces]*yaml.Node
	count int
	many  map[string]*yaml.Node // those that are beyond the few
}

func (k *keys) add(key *yaml.Node) {
	switch {
	case k.count < len(k.few):
		k.few[k.count] = key
		k.count++
	case k.many == nil:
		k.many = map[string]*yaml.Node{key.Value: key}
	default:
		k.many[key.Value] = key
	}
}

func (k *keys) find(name string) *yaml.Node {
	for _, key := range k.few[:k.count] {
		if key.Value == name {
			return key
		}
	}
	return k.many[name]
}

// want reports whether n is a mapping or a list, as wanted, and reports it when not.
func (d *decoder) want(n *yaml.Node, kind yaml.Kind, at *place) bool {
	if d.refused(n, at) {
		return false
	}
	if at.depth() > maxNesting {
		d.wrong(n, at, "this nests more than %d deep", maxNesting)
		return false
	}
	if n.Kind == kind {
		return true
	}
	what := "a list"
	if kind == yaml.MappingNode {
		what = "keys and values"
	}
	d.wrong(n, at, "want %s, got %s", what, got(n))
	return false
}

// refused reports what makes a file mean something else than it seems to.
func (d *decoder) refused(n *yaml.Node, at *place) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.wrong(n, at, "aliases are not supported; write the value out")
	case n.Anchor != "":
		d.wrong(n, at, "anchors are not supported; write the value out where it is needed")
	case n.Style&yaml.TaggedStyle != 0:
		d.wrong(n, at, "tags are not supported; take %s out", show(n.Tag))
	default:
		return false
	}
	return true
}
