package istio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// object is one Kubernetes object of a file.
type object struct {
	reader      *reader
	file        string
	document    int
	node        *yaml.Node // the whole of it
	group, kind string
	namespace   string
	name        string
	annotations map[string]string
	spec        *yaml.Node // nil where there is none
	places      map[string]*yaml.Node

	authorization *authorization // what was read of an AuthorizationPolicy
}

// subject names the object: "AuthorizationPolicy shop/orders".
func (o *object) subject() string {
	if o.kind == "" {
		return ""
	}
	switch {
	case o.name == "":
		return o.kind
	case o.namespace == "":
		return o.kind + " " + o.name
	}
	return o.kind + " " + o.namespace + "/" + o.name
}

// place is where a node stands: "shop.yaml:12 (document 2)".
func (o *object) place(n *yaml.Node) string {
	return o.file + ":" + strconv.Itoa(n.Line) + " (document " + strconv.Itoa(o.document) + ")"
}

// placeOf is where the value of a path stands, or the object itself.
func (o *object) placeOf(path string) string {
	if n := o.places[path]; n != nil {
		return o.place(n)
	}
	return o.place(o.node)
}

func (o *object) wrong(n *yaml.Node, path, format string, args ...any) {
	o.reader.mistakes.add(Mistake{
		File: o.file, Document: o.document, Line: n.Line, Column: n.Column, Subject: o.subject(), Path: path,
		Problem: fmt.Sprintf(format, args...),
	})
}

// wrongAt is wrong for the value of a path.
func (o *object) wrongAt(path, format string, args ...any) {
	n := o.places[path]
	if n == nil {
		n = o.node
	}
	o.wrong(n, path, format, args...)
}

// reader reads files into objects and collects mistakes on the way.
type reader struct {
	defaultNamespace string
	mistakes         mistakes
	objects          []*object
	skipped          []*object // whose kind is not read
}

func (r *reader) file(f file) {
	if !utf8.Valid(f.data) {
		r.mistakes.add(Mistake{File: f.name, Problem: "the file is not UTF-8; save it as UTF-8"})
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(f.data))
	for document := 1; !r.mistakes.full(); document++ {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.syntax(f.name, document, err)
			return
		}
		if n := root.Content[0]; n.ShortTag() != nullTag {
			r.object(&object{reader: r, file: f.name, document: document, node: n})
		}
	}
}

// syntax reports an error of the YAML library, "yaml: line 3: what is wrong".
func (r *reader) syntax(name string, document int, err error) {
	m := Mistake{File: name, Document: document}
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(problem, "line "); ok {
		if line, what, ok := strings.Cut(rest, ": "); ok {
			m.Line, _ = strconv.Atoi(line)
			problem = what
		}
	}
	m.Problem = "this is no YAML, here or on the next line: " + problem
	r.mistakes.add(m)
}

// object reads the envelope of an object, and that of each item of a list.
func (r *reader) object(o *object) {
	d := &decoder{object: o, left: maxValues}
	o.places = map[string]*yaml.Node{}
	if !d.want(o.node, yaml.MappingNode, "") {
		return
	}
	e := d.envelope()
	switch {
	case e.version == "":
		o.wrong(o.node, "apiVersion", "it is missing; without it nobody knows what the document is")
		return
	case o.kind == "":
		o.wrong(o.node, "kind", "it is missing; without it nobody knows what the document is")
		return
	case o.isList(e):
		r.list(d, o, e)
		return
	}
	var version string
	o.group, version = cutVersion(e.version)
	if !o.isRead(e.version, version) {
		o.checkNoList(e)
		r.skipped = append(r.skipped, o)
		if o.group == gatewayGroup && o.kind == "Gateway" {
			d.metadata(e.metadata)
		}
		return
	}
	e.unknown(o, "apiVersion", "kind", "metadata", "spec")
	d.metadata(e.metadata)
	r.objects = append(r.objects, o)
}

// envelope is what stands around the spec of an object.
type envelope struct {
	version         string // apiVersion
	items, metadata *yaml.Node
	keys            []*yaml.Node // all but status, which is not read
}

func (d *decoder) envelope() *envelope {
	o, e := d.object, &envelope{}
	d.entries(o.node, "", func(key, value *yaml.Node) {
		value = d.resolve(value)
		if key.Value != "status" {
			e.keys = append(e.keys, key)
		}
		switch key.Value {
		case "apiVersion":
			e.version, _ = d.text(value, "apiVersion")
		case "kind":
			o.kind, _ = d.text(value, "kind")
		case "metadata":
			e.metadata = value
		case "spec":
			o.spec = value
		case "items":
			e.items = value
		}
	})
	return e
}

// unknown reports the keys of the object that are none of these, and whether there are any.
func (e *envelope) unknown(o *object, known ...string) bool {
	before := len(o.reader.mistakes.errs)
	for _, key := range e.keys {
		if !slices.Contains(known, key.Value) {
			o.wrong(key, "", "unknown key %s%s", show(key.Value), meant(key.Value, known))
		}
	}
	return len(o.reader.mistakes.errs) > before
}
