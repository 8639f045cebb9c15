package retry

import (
	"reflect"

	"google.golang.org/protobuf/proto"
)

// replaceable tells whether attempts can each have a reply of their own.
func replaceable(reply any) bool {
	v := reflect.ValueOf(reply)
	return v.Kind() == reflect.Pointer && !v.IsNil()
}

// another returns an empty reply of the same type.
func another(reply any) any {
	if m, ok := reply.(proto.Message); ok {
		return m.ProtoReflect().New().Interface()
	}
	return reflect.New(reflect.TypeOf(reply).Elem()).Interface()
}

// take puts what is in one reply into another of the same type.
func take(to, from any) {
	if m, ok := to.(proto.Message); ok {
		proto.Reset(m)
		proto.Merge(m, from.(proto.Message)) //nolint:forcetypeassert // made by another
		return
	}
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}
