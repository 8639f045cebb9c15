package protoyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Tags that the YAML library gives to plain values.
const (
	stringTag = "!!str"
	boolTag   = "!!bool"
	intTag    = "!!int"
	floatTag  = "!!float"
	nullTag   = "!!null"
	mergeTag  = "!!merge"
	timeTag   = "!!timestamp"
)

// fits reports whether a value with a tag can be that of a field.
func fits(tag string, field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return tag == boolTag
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return tag == stringTag || isValue(field.Message()) && (tag == boolTag || tag == intTag || tag == floatTag)
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		return tag == stringTag
	default:
		return tag == intTag || tag == floatTag
	}
}

// got names what stands in the file.
func got(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
	default:
	}
	switch n.ShortTag() {
	case nullTag:
		return "nothing; give it a value, or take the key out"
	case boolTag:
		return "a boolean"
	case intTag, floatTag:
		return "a number"
	case timeTag:
		return "a date"
	default:
		if n.Value == "" {
			return "an empty string"
		}
		return "a string"
	}
}

// hint says how to write a value of the right kind, where quotes are all that it takes.
func hint(n *yaml.Node, field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return quotes(n)
	case protoreflect.MessageKind:
		if isValue(field.Message()) && n.Kind == yaml.ScalarNode {
			return quotes(n)
		}
		return ""
	case protoreflect.BoolKind:
		if n.Kind == yaml.ScalarNode && (n.Value == "true" || n.Value == "false") {
			return "; write it without quotes"
		}
		return ""
	default:
		return ""
	}
}

func quotes(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == nullTag || n.ShortTag() == stringTag {
		return ""
	}
	return "; put it in quotes"
}

// list writes words for people: "a, b, c".
func list(words []string) string { return strings.Join(words, ", ") }

func fieldNames(fields protoreflect.FieldDescriptors) []string {
	names := make([]string, 0, fields.Len())
	for i := range fields.Len() {
		names = append(names, string(fields.Get(i).Name()))
	}
	return names
}
