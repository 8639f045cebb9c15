package policy

import (
	"fmt"
	"reflect"
	"strings"
)

// emptyLists returns the paths of the lists in a message that the program has made empty, and not left out. A message
// cannot tell the two apart: a list of peers that somebody computed to be empty would open the method to everyone.
func emptyLists(message any) []string {
	if v := reflect.ValueOf(message); hasEmptyList(v) {
		return emptyListsIn(v, "")
	}
	return nil
}

// hasEmptyList reports whether emptyListsIn finds any, without its paths.
func hasEmptyList(v reflect.Value) bool {
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return false
	}
	for _, field := range v.Elem().Fields() {
		if !field.CanInterface() {
			continue
		}
		if field.Kind() != reflect.Slice {
			if hasEmptyList(field) {
				return true
			}
			continue
		}
		if field.Len() == 0 && !field.IsNil() {
			return true
		}
		for n := range field.Len() {
			if hasEmptyList(field.Index(n)) {
				return true
			}
		}
	}
	return false
}

func emptyListsIn(v reflect.Value, path string) (paths []string) {
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	for i := range v.Elem().NumField() {
		_, after, isField := strings.Cut(v.Elem().Type().Field(i).Tag.Get("protobuf"), "name=")
		if !isField {
			continue
		}
		name, _, _ := strings.Cut(after, ",")
		at, field := strings.TrimPrefix(path+"."+name, "."), v.Elem().Field(i)
		if field.Kind() != reflect.Slice {
			paths = append(paths, emptyListsIn(field, at)...)
			continue
		}
		if field.Len() == 0 && !field.IsNil() {
			paths = append(paths, at)
		}
		for n := range field.Len() {
			paths = append(paths, emptyListsIn(field.Index(n), fmt.Sprintf("%s[%d]", at, n))...)
		}
	}
	return paths
}
