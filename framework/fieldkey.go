package framework

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fieldKey reads one scalar field of requests. The way to it is looked up once for each type of request.
type fieldKey struct {
	names []protoreflect.Name
	ways  sync.Map // of protoreflect.FullName to []protoreflect.FieldDescriptor, nil where the type has no such field
}

func newFieldKey(path string) *fieldKey {
	k := &fieldKey{}
	for name := range strings.SplitSeq(path, ".") {
		k.names = append(k.names, protoreflect.Name(name))
	}
	return k
}

// of returns the field as text. It returns false when the request has no such field, or does not state it.
func (k *fieldKey) of(m protoreflect.Message) (string, bool) {
	way := k.way(m.Descriptor())
	if way == nil {
		return "", false
	}
	last := len(way) - 1
	for _, field := range way[:last] {
		m = m.Get(field).Message()
	}
	if !m.Has(way[last]) {
		return "", false
	}
	return m.Get(way[last]).String(), true
}

func (k *fieldKey) way(request protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if way, ok := k.ways.Load(request.FullName()); ok {
		way, _ := way.([]protoreflect.FieldDescriptor)
		return way
	}
	way := k.find(request)
	k.ways.Store(request.FullName(), way)
	return way
}

func (k *fieldKey) find(in protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	way := make([]protoreflect.FieldDescriptor, 0, len(k.names))
	for i, name := range k.names {
		field := in.Fields().ByName(name)
		if field == nil || field.IsList() || field.IsMap() || (field.Message() == nil) != (i == len(k.names)-1) {
			return nil
		}
		way = append(way, field)
		in = field.Message()
	}
	return way
}
