package istio

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const kindList = "List"

// isList reports whether the object is a list of others: one of Kubernetes or of a kind that is read, in whatever case,
// or one of another kind that has items.
func (o *object) isList(e *envelope) bool {
	if strings.EqualFold(o.kind, kindList) {
		return true
	}
	of, ok := cutList(o.kind)
	return ok && (e.items != nil || groupOf(of) != "")
}

// cutList is the kind of the items of a list: "AuthorizationPolicy" of "AuthorizationPolicyList".
func cutList(kind string) (of string, ok bool) {
	at := len(kind) - len(kindList)
	if at < 0 || !strings.EqualFold(kind[at:], kindList) {
		return "", false
	}
	return kind[:at], true
}

// list reads the items of a list as if each were a document of its own.
func (r *reader) list(d *decoder, o *object, e *envelope) {
	bad := e.unknown(o, "apiVersion", "kind", "metadata", "items")
	bad = o.checkList(e) || bad
	switch {
	case bad:
		return
	case e.items == nil:
		o.wrong(o.node, "items", "it is missing; a list without items has \"items: []\"")
		return
	case !d.want(e.items, yaml.SequenceNode, "items"):
		return
	}
	for i, item := range e.items.Content {
		item = d.resolve(item)
		if d.exhausted(item, "items["+strconv.Itoa(i)+"]") {
			return
		}
		if len(item.Content) > 0 && strings.EqualFold(valueOf(item, "kind"), kindList) {
			o.wrong(item, "items["+strconv.Itoa(i)+"]", "a list holds a list; take the inner one apart")
			continue
		}
		r.object(&object{reader: r, file: o.file, document: o.document, node: item})
	}
}

// checkList reports a list that Kubernetes would not take for one, and whether it is that.
func (o *object) checkList(e *envelope) bool {
	kind, known := kindList, []string{"v1"}
	if !strings.EqualFold(o.kind, kindList) {
		of, _ := cutList(o.kind)
		group := groupOf(of)
		if group == "" || ofOtherMesh(e.version, of) {
			return false
		}
		kind, known = nameOf(of)+kindList, apiVersions(group)
	}
	if o.kind != kind {
		o.wrong(o.node, "kind", "kind %s is not known; did you mean %q?", show(o.kind), kind)
		return true
	}
	if !slices.Contains(known, e.version) {
		o.wrong(o.node, "apiVersion", "%s is no apiVersion of the kind %s%s", show(e.version), o.kind,
			meant(e.version, known))
		return true
	}
	return false
}

// checkNoList reports an object of an unknown kind whose items are objects: a list whose kind is misspelled.
func (o *object) checkNoList(e *envelope) {
	for _, key := range e.keys {
		if !strings.EqualFold(key.Value, "items") {
			continue
		}
		for i := 0; i+1 < len(o.node.Content); i += 2 {
			items := o.node.Content[i+1]
			if items.Kind == yaml.AliasNode {
				items = items.Alias
			}
			if o.node.Content[i] != key || items.Kind != yaml.SequenceNode {
				continue
			}
			if slices.ContainsFunc(items.Content, func(item *yaml.Node) bool { return valueOf(item, "apiVersion") != "" }) {
				o.wrong(key, "", "the kind %s is no list, so that its %s would not be read; write \"kind: List\" and \"items\"",
					o.kind, key.Value)
			}
		}
	}
}

// valueOf is the text that a mapping states for a key, or "".
func valueOf(n *yaml.Node, key string) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}
