package istio

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Tags that the YAML library gives to plain values.
const (
	stringTag = "!!str"
	boolTag   = "!!bool"
	intTag    = "!!int"
	floatTag  = "!!float"
	nullTag   = "!!null"
	mergeTag  = "!!merge"
)

// decoder reads YAML nodes into a message beside its descriptor, and notes where each value stands. Names are those of
// JSON, as Kubernetes writes them. Anchors, aliases and merge keys mean what they mean to kubectl.
type decoder struct {
	object *object
	left   int // values that the document may still hold
	depth  int
}

// spec reads the spec of the object into m, and reports whether it has no mistake. A missing spec is an empty one.
func (d *decoder) spec(m proto.Message) bool {
	o := d.object
	if o.spec == nil || o.spec.ShortTag() == nullTag {
		return true
	}
	before := len(o.reader.mistakes.errs)
	o.places["spec"] = o.spec
	d.message(o.spec, m.ProtoReflect(), "spec")
	return len(o.reader.mistakes.errs) == before
}

// resolve follows an alias.
func (d *decoder) resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// exhausted counts a value, and reports whether it is one too many.
func (d *decoder) exhausted(n *yaml.Node, path string) bool {
	d.left--
	if d.left == 0 {
		d.object.wrong(n, path, "the document has more than %d values, those that aliases repeat included", maxValues)
	}
	return d.left <= 0 || d.object.reader.mistakes.full()
}

// want reports whether n is a mapping or a list, as wanted, and reports it when not.
func (d *decoder) want(n *yaml.Node, kind yaml.Kind, path string) bool {
	what := "a list"
	if kind == yaml.MappingNode {
		what = "keys and values"
	}
	if n.Kind != kind {
		d.object.wrong(n, path, "want %s, got %s", what, got(n))
	}
	return n.Kind == kind
}

// entries visits the entries of a mapping. A key that is stated twice is a mistake; one that is stated beside a merge
// key wins over what is merged in.
func (d *decoder) entries(n *yaml.Node, path string, visit func(key, value *yaml.Node)) {
	lines := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := d.resolve(n.Content[i]), n.Content[i+1]
		if d.exhausted(key, path) {
			return
		}
		first, repeated := lines[key.Value]
		switch {
		case key.ShortTag() == mergeTag:
			merged = append(merged, value)
		case key.Kind != yaml.ScalarNode || key.ShortTag() != stringTag && key.ShortTag() != intTag: // as "8443:" is
			d.object.wrong(key, path, "want a name as key, got %s%s", got(key), quotes(key))
		case repeated:
			d.object.wrong(key, path, "the key %s is stated before, at line %d; keep one of them", show(key.Value), first)
		default:
			lines[key.Value] = key.Line
			visit(key, value)
		}
	}
	for _, value := range merged {
		d.merge(value, path, lines, visit)
	}
}

// merge visits the entries of a mapping, or of a list of mappings, that a merge key brings in and that are not stated
// yet.
func (d *decoder) merge(n *yaml.Node, path string, stated map[string]int, visit func(key, value *yaml.Node)) {
	n = d.resolve(n)
	if d.depth > maxNesting || d.exhausted(n, path) {
		return
	}
	d.depth++
	defer func() { d.depth-- }()
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			d.merge(item, path, stated, visit)
		}
		return
	}
	if !d.want(n, yaml.MappingNode, path) {
		return
	}
	d.entries(n, path, func(key, value *yaml.Node) {
		if _, ok := stated[key.Value]; !ok {
			stated[key.Value] = key.Line
			visit(key, value)
		}
	})
}

func (d *decoder) message(n *yaml.Node, m protoreflect.Message, path string) {
	if d.depth++; d.depth > maxNesting {
		d.object.wrong(n, path, "this nests more than %d deep", maxNesting)
		d.left = 0
	}
	defer func() { d.depth-- }()
	if d.left <= 0 || !d.want(n, yaml.MappingNode, path) {
		return
	}
	fields := m.Descriptor().Fields()
	d.entries(n, path, func(key, value *yaml.Node) {
		field := fields.ByJSONName(key.Value)
		if field == nil {
			d.object.wrong(key, path, "unknown key %s%s", show(key.Value), meant(key.Value, jsonNames(fields)))
			return
		}
		at := path + "." + key.Value
		if oneof := field.ContainingOneof(); oneof != nil && m.WhichOneof(oneof) != nil {
			d.object.wrong(key, at, "it excludes %q, which is stated as well; keep one of them", m.WhichOneof(oneof).JSONName())
			return
		}
		d.object.places[at] = key
		d.field(d.resolve(value), m, field, at)
	})
}

func jsonNames(fields protoreflect.FieldDescriptors) []string {
	names := make([]string, 0, fields.Len())
	for i := range fields.Len() {
		names = append(names, fields.Get(i).JSONName())
	}
	return names
}

func (d *decoder) field(n *yaml.Node, m protoreflect.Message, field protoreflect.FieldDescriptor, path string) {
	switch {
	case field.IsMap():
		d.mapping(n, m.Mutable(field).Map(), field, path)
	case field.IsList():
		d.list(n, m.Mutable(field).List(), field, path)
	case field.Message() != nil && !isScalar(field.Message()):
		d.message(n, m.Mutable(field).Message(), path)
	default:
		if value, ok := d.scalar(n, field, path); ok {
			m.Set(field, value)
		}
	}
}

// list reads a list. An empty one means no list to Istio, and so often the contrary of what it says.
func (d *decoder) list(n *yaml.Node, values protoreflect.List, field protoreflect.FieldDescriptor, path string) {
	if !d.want(n, yaml.SequenceNode, path) {
		return
	}
	if len(n.Content) == 0 && path != "spec.rules" {
		d.object.wrong(n, path, "the list is empty, which means the same as no list; write its values, or take the key out")
		return
	}
	for i, item := range n.Content {
		at := path + "[" + strconv.Itoa(i) + "]"
		if d.exhausted(item, at) {
			return
		}
		item = d.resolve(item)
		d.object.places[at] = item
		if field.Message() != nil && !isScalar(field.Message()) {
			element := values.NewElement()
			d.message(item, element.Message(), at)
			values.Append(element)
		} else if value, ok := d.scalar(item, field, at); ok {
			values.Append(value)
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, values protoreflect.Map, field protoreflect.FieldDescriptor, path string) {
	if !d.want(n, yaml.MappingNode, path) {
		return
	}
	d.entries(n, path, func(key, value *yaml.Node) {
		at := path + "[" + show(key.Value) + "]"
		value = d.resolve(value)
		d.object.places[at] = key
		of, ok := mapKey(key.Value, field.MapKey().Kind())
		if !ok {
			d.object.wrong(key, path, "want a number as key, got %s", show(key.Value))
			return
		}
		if element := field.MapValue(); element.Message() != nil && !isScalar(element.Message()) {
			fresh := values.NewValue()
			d.message(value, fresh.Message(), at)
			values.Set(of, fresh)
		} else if read, ok := d.scalar(value, element, at); ok {
			values.Set(of, read)
		}
	})
}

// mapKey reads the key of a map.
func mapKey(text string, kind protoreflect.Kind) (protoreflect.MapKey, bool) {
	if kind != protoreflect.Uint32Kind {
		return protoreflect.ValueOfString(text).MapKey(), true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return protoreflect.ValueOfUint32(uint32(n)).MapKey(), err == nil
}

// text reads a string.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == stringTag && (!plain(n) || !isOldBool(n.Value)):
		return n.Value, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() == stringTag:
		d.object.wrong(n, path, "%s without quotes is a boolean to Kubernetes; put it in quotes", show(n.Value))
	default:
		d.object.wrong(n, path, "want a string, got %s%s", got(n), quotes(n))
	}
	return "", false
}

// plain reports whether a scalar is written without quotes.
func plain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
}

// isOldBool reports whether YAML 1.1, which kubectl reads, takes a word for a boolean where the library takes it for a
// string.
func isOldBool(word string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(word))
}

func (d *decoder) scalar(n *yaml.Node, field protoreflect.FieldDescriptor, path string) (protoreflect.Value, bool) {
	var none protoreflect.Value
	if m := field.Message(); m != nil && m.FullName() == durationName() {
		text, ok := d.text(n, path)
		if !ok {
			return none, false
		}
		duration, err := time.ParseDuration(text)
		if err != nil {
			d.object.wrong(n, path, "want a duration like 250ms or 10s, got %s", show(text))
			return none, false
		}
		return protoreflect.ValueOfMessage(durationpb.New(duration).ProtoReflect()), true
	}
	if m := field.Message(); m != nil && isWrapper(m) {
		return d.wrapper(n, m, path)
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		text, ok := d.text(n, path)
		return protoreflect.ValueOfString(text), ok
	case protoreflect.EnumKind:
		return d.enum(n, field.Enum(), path)
	case protoreflect.BoolKind:
		if n.Kind == yaml.ScalarNode && n.ShortTag() == boolTag && (n.Value == "true" || n.Value == "false") {
			return protoreflect.ValueOfBool(n.Value == "true"), true
		}
		d.object.wrong(n, path, "want true or false, got %s", got(n))
		return none, false
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
		protoreflect.DoubleKind, protoreflect.FloatKind:
		return d.number(n, field.Kind(), path)
	default:
		d.object.wrong(n, path, "this cannot be read here; take it out")
		return none, false
	}
}

func (d *decoder) enum(n *yaml.Node, enum protoreflect.EnumDescriptor, path string) (protoreflect.Value, bool) {
	text, ok := d.text(n, path)
	if !ok {
		return protoreflect.Value{}, false
	}
	if value := enum.Values().ByName(protoreflect.Name(text)); value != nil {
		return protoreflect.ValueOfEnum(value.Number()), true
	}
	names := make([]string, 0, enum.Values().Len())
	for i := range enum.Values().Len() {
		names = append(names, string(enum.Values().Get(i).Name()))
	}
	d.object.wrong(n, path, "%s is none of the values%s", show(text), meant(text, names))
	return protoreflect.Value{}, false
}

func (d *decoder) number(n *yaml.Node, kind protoreflect.Kind, path string) (protoreflect.Value, bool) {
	tag := n.ShortTag()
	if n.Kind == yaml.ScalarNode && (tag == intTag || tag == floatTag) {
		switch kind {
		case protoreflect.Int32Kind:
			if v, err := strconv.ParseInt(n.Value, 10, 32); err == nil {
				return protoreflect.ValueOfInt32(int32(v)), true
			}
		case protoreflect.Int64Kind:
			if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
				return protoreflect.ValueOfInt64(v), true
			}
		case protoreflect.Uint32Kind:
			if v, err := strconv.ParseUint(n.Value, 10, 32); err == nil {
				return protoreflect.ValueOfUint32(uint32(v)), true
			}
		case protoreflect.Uint64Kind:
			if v, err := strconv.ParseUint(n.Value, 10, 64); err == nil {
				return protoreflect.ValueOfUint64(v), true
			}
		default:
			if v, err := strconv.ParseFloat(n.Value, 64); err == nil && v-v == 0 { // neither infinite nor NaN
				if kind == protoreflect.FloatKind {
					return protoreflect.ValueOfFloat32(float32(v)), true
				}
				return protoreflect.ValueOfFloat64(v), true
			}
		}
	}
	d.object.wrong(n, path, "want a number that fits, got %s %s", got(n), show(n.Value))
	return protoreflect.Value{}, false
}

// isScalar reports whether a message is written as a scalar.
func isScalar(m protoreflect.MessageDescriptor) bool {
	return m.FullName() == durationName() || isWrapper(m)
}

// isWrapper reports whether a message is a scalar that may be missing, as google.protobuf.BoolValue.
func isWrapper(m protoreflect.MessageDescriptor) bool {
	return m.ParentFile().Path() == wrapperspb.File_google_protobuf_wrappers_proto.Path()
}

// wrapper reads a scalar that may be missing.
func (d *decoder) wrapper(n *yaml.Node, m protoreflect.MessageDescriptor, path string) (protoreflect.Value, bool) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.FullName())
	if err != nil {
		d.object.wrong(n, path, "this cannot be read here; take it out")
		return protoreflect.Value{}, false
	}
	field := m.Fields().ByNumber(1)
	value, ok := d.scalar(n, field, path)
	if !ok {
		return protoreflect.Value{}, false
	}
	wrapped := kind.New()
	wrapped.Set(field, value)
	return protoreflect.ValueOfMessage(wrapped), true
}

func durationName() protoreflect.FullName {
	return (*durationpb.Duration)(nil).ProtoReflect().Descriptor().FullName()
}

// got names what stands in the file.
func got(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
	}
	switch n.ShortTag() {
	case nullTag:
		return "nothing; give it a value, or take the key out"
	case boolTag:
		return "a boolean"
	case intTag, floatTag:
		return "a number"
	case stringTag:
		return "a string"
	default:
		return "a value of the kind " + n.ShortTag()
	}
}

func quotes(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == nullTag || n.ShortTag() == stringTag {
		return ""
	}
	return "; put it in quotes"
}
