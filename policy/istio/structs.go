package istio

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The types of the Gateway API are no protos, and their module brings 271 packages with it. So what is read of them is
// stated as structs, and read as strictly as the protos: every key is known, and every value has its type.

// unread is a value of which only the place is kept.
type unread struct{}

// specStruct reads the spec of the object into the struct that v points to, and reports whether it has no mistake.
func (d *decoder) specStruct(v any) bool {
	o := d.object
	if o.spec == nil || o.spec.ShortTag() == nullTag {
		return true
	}
	before := len(o.reader.mistakes.errs)
	o.places["spec"] = o.spec
	d.structure(o.spec, reflect.ValueOf(v).Elem(), "spec")
	return len(o.reader.mistakes.errs) == before
}

// structure reads the fields of a struct, whose names are in their tags, as the key yaml.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if d.depth++; d.depth > maxNesting {
		d.object.wrong(n, path, "this nests more than %d deep", maxNesting)
		d.left = 0
	}
	defer func() { d.depth-- }()
	if d.left <= 0 || !d.want(n, yaml.MappingNode, path) {
		return
	}
	names := fieldNames(v.Type())
	d.entries(n, path, func(key, value *yaml.Node) {
		index, ok := names[key.Value]
		if !ok {
			known := make([]string, 0, len(names))
			for name := range names {
				known = append(known, name)
			}
			d.object.wrong(key, path, "unknown key %s%s", show(key.Value), meant(key.Value, known))
			return
		}
		at := path + "." + key.Value
		d.object.places[at] = key
		d.value(d.resolve(value), v.Field(index), at)
	})
}

// fieldNames are the fields of a struct by the names in their tags.
func fieldNames(t reflect.Type) map[string]int {
	names := map[string]int{}
	for i := range t.NumField() {
		for name := range strings.SplitSeq(t.Field(i).Tag.Get("yaml"), ",") {
			names[name] = i
		}
	}
	return names
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		if text, ok := d.text(n, path); ok {
			duration, err := time.ParseDuration(text)
			if err != nil {
				d.object.wrong(n, path, "want a duration like 250ms or 10s, got %s", show(text))
			}
			v.SetInt(int64(duration))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[unread]() {
			d.structure(n, v, path)
		}
	case reflect.Slice:
		d.slice(n, v, path)
	case reflect.String:
		if text, ok := d.text(n, path); ok {
			v.SetString(text)
		}
	case reflect.Int64:
		if number, err := strconv.ParseInt(n.Value, 10, 32); n.ShortTag() == intTag && err == nil {
			v.SetInt(number)
			return
		}
		d.object.wrong(n, path, "want a whole number that fits, got %s", got(n))
	default:
		d.object.wrong(n, path, "this cannot be read here; take it out")
	}
}

// slice reads a list. An empty one means no list to Kubernetes, and so often the contrary of what it says.
func (d *decoder) slice(n *yaml.Node, v reflect.Value, path string) {
	if !d.want(n, yaml.SequenceNode, path) {
		return
	}
	if len(n.Content) == 0 {
		d.object.wrong(n, path, "the list is empty, which means the same as no list; write its values, or take the key out")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i, item := range n.Content {
		at := path + "[" + strconv.Itoa(i) + "]"
		if d.exhausted(item, at) {
			return
		}
		item = d.resolve(item)
		d.object.places[at] = item
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(item, element, at)
		v.Set(reflect.Append(v, element))
	}
}
