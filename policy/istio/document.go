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

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
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
	var version string
	var items, metadata *yaml.Node
	var other []*yaml.Node
	d.entries(o.node, "", func(key, value *yaml.Node) {
		value = d.resolve(value)
		switch key.Value {
		case "apiVersion":
			version, _ = d.text(value, "apiVersion")
		case "kind":
			o.kind, _ = d.text(value, "kind")
		case "metadata":
			metadata = value
		case "spec":
			o.spec = value
		case "status":
		case "items":
			items = value
		default:
			other = append(other, key)
		}
	})
	switch {
	case version == "":
		o.wrong(o.node, "apiVersion", "it is missing; without it nobody knows what the document is")
		return
	case o.kind == "":
		o.wrong(o.node, "kind", "it is missing; without it nobody knows what the document is")
		return
	}
	if items != nil && strings.HasSuffix(o.kind, "List") {
		r.list(d, o, items)
		return
	}
	o.group, version = cutVersion(version)
	if !o.isRead(version) {
		r.skipped = append(r.skipped, o)
		if o.group == gatewayGroup && o.kind == "Gateway" {
			d.metadata(metadata)
		}
		return
	}
	for _, key := range other {
		known := []string{"apiVersion", "kind", "metadata", "spec"}
		o.wrong(key, "", "unknown key %s%s", show(key.Value), meant(key.Value, known))
	}
	d.metadata(metadata)
	r.objects = append(r.objects, o)
}

// list reads the items of a list as if each were a document of its own.
func (r *reader) list(d *decoder, o *object, items *yaml.Node) {
	if !d.want(items, yaml.SequenceNode, "items") {
		return
	}
	for i, item := range items.Content {
		item = d.resolve(item)
		if d.exhausted(item, "items["+strconv.Itoa(i)+"]") {
			return
		}
		if strings.HasSuffix(o.kind, "List") && len(item.Content) > 0 && kindOf(item) == "List" {
			o.wrong(item, "items["+strconv.Itoa(i)+"]", "a list holds a list; take the inner one apart")
			continue
		}
		r.object(&object{reader: r, file: o.file, document: o.document, node: item})
	}
}

// kindOf is the kind that a mapping states, or "".
func kindOf(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// Groups of the kinds that are read.
const (
	securityGroup   = "security.istio.io"
	networkingGroup = "networking.istio.io"
	gatewayGroup    = "gateway.networking.k8s.io"
)

// kindsRead lists the kinds that are read, and those of Istio that are not, by their groups.
func kindsRead() map[string][]string {
	return map[string][]string{
		securityGroup:   {kindAuthorization, kindRequest, kindPeer},
		networkingGroup: {kindVirtualService, kindDestinationRule},
		gatewayGroup:    {kindGRPCRoute, kindHTTPRoute},
	}
}

func kindsSkipped() map[string][]string {
	return map[string][]string{
		networkingGroup: {
			"Gateway", "ServiceEntry", "Sidecar", "EnvoyFilter", "WorkloadEntry", "WorkloadGroup", "ProxyConfig",
		},
		"telemetry.istio.io":  {"Telemetry"},
		"extensions.istio.io": {"WasmPlugin", "TrafficExtension"},
		"install.istio.io":    {"IstioOperator"},
	}
}

// versions are the versions of the kinds of a group that are read.
func versions(group string) []string {
	if group == gatewayGroup {
		return []string{"v1", "v1beta1", "v1alpha2"}
	}
	return []string{"v1", "v1beta1", "v1alpha3"}
}

// otherGatewayKinds are kinds of the Gateway API that are not read and look like one that is.
func otherGatewayKinds() []string { return []string{"TCPRoute", "TLSRoute", "UDPRoute"} }

func cutVersion(apiVersion string) (group, version string) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return "", apiVersion
	}
	return group, version
}

// isRead reports whether the object is of a kind that is read. One that was meant to be, and is misspelled, is a
// mistake: to skip it would open what it closes.
func (o *object) isRead(version string) bool {
	if slices.Contains(kindsRead()[o.group], o.kind) {
		if known := versions(o.group); !slices.Contains(known, version) {
			o.wrong(o.node, "apiVersion", "version %s is not known%s", show(version), meant(version, known))
			return false
		}
		return true
	}
	known := slices.Concat(kindsRead()[o.group], kindsSkipped()[o.group])
	groups := []string{}
	for group, kinds := range kindsRead() {
		groups = append(groups, group)
		if slices.Contains(kinds, o.kind) && nearest.Of(o.group, []string{group}) != "" {
			o.wrong(o.node, "apiVersion", "group %s is not known%s", show(o.group), meant(o.group, []string{group}))
		}
	}
	if o.group == gatewayGroup {
		if nearest.Of(o.kind, known) != "" && !slices.Contains(otherGatewayKinds(), o.kind) {
			o.wrong(o.node, "kind", "kind %s is not known%s", show(o.kind), meant(o.kind, known))
		}
		return false
	}
	if slices.Contains(groups, o.group) && !slices.Contains(known, o.kind) {
		o.wrong(o.node, "kind", "kind %s is not known%s", show(o.kind), meant(o.kind, known))
	}
	return false
}

// meant is "; did you mean ...?" where a known word is near.
func meant(word string, known []string) string {
	if near := nearest.Of(word, known); near != "" {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	slices.Sort(known)
	return "; known are " + strings.Join(known, ", ")
}
