package istio

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// metadataKeys are the keys of the metadata of a Kubernetes object.
func metadataKeys() []string {
	return []string{
		"name", "namespace", "labels", "annotations", "generateName", "creationTimestamp", "uid", "resourceVersion",
		"generation", "managedFields", "finalizers", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds",
		"selfLink",
	}
}

// metadata reads name, namespace and annotations of the object.
func (d *decoder) metadata(n *yaml.Node) {
	o := d.object
	if n == nil || !d.want(n, yaml.MappingNode, "metadata") {
		if n == nil {
			o.wrong(o.node, "metadata", "it is missing; give the object a name and a namespace")
		}
		return
	}
	d.entries(n, "metadata", func(key, value *yaml.Node) {
		value = d.resolve(value)
		switch key.Value {
		case "name":
			o.places["metadata.name"] = value
			o.name, _ = d.text(value, "metadata.name")
		case "namespace":
			o.places["metadata.namespace"] = value
			o.namespace, _ = d.text(value, "metadata.namespace")
		case "annotations":
			o.annotations = d.texts(value, "metadata.annotations")
		case "labels":
			d.texts(value, "metadata.labels")
		default:
			if !slices.Contains(metadataKeys(), key.Value) {
				o.wrong(key, "metadata", "unknown key %s%s", show(key.Value), meant(key.Value, metadataKeys()))
			}
		}
	})
	if o.namespace == "" {
		o.namespace = o.reader.defaultNamespace
	}
	if o.namespace == "" {
		o.wrong(n, "metadata.namespace", "it is missing, and kubectl would take the namespace of its context; "+
			"write it, or name it in Workload.DefaultNamespace")
	}
	if o.namespace != "" && !isLabel(o.namespace) {
		o.wrongAt("metadata.namespace", "%s is no namespace, which Kubernetes refuses; write up to %d lower-case letters, "+
			"digits and -", show(o.namespace), maxLabel)
	}
	switch {
	case o.name == "":
		o.wrong(n, "metadata.name", "it is missing; give the object a name")
	case !isSubdomain(o.name):
		o.wrongAt("metadata.name", "%s is no name, which Kubernetes refuses; write up to %d lower-case letters, digits, - "+
			"and .", show(o.name), maxSubdomain)
	}
}

// isLabel reports whether a text is a label of DNS (RFC 1123), as the names of namespaces are.
func isLabel(text string) bool { return isName(text, "-") && len(text) <= maxLabel }

// isSubdomain reports whether a text is a subdomain of DNS (RFC 1123), as the names of objects are.
func isSubdomain(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if !isName(label, "-") {
			return false
		}
	}
	return len(text) <= maxSubdomain
}

// texts reads a mapping of strings.
func (d *decoder) texts(n *yaml.Node, path string) map[string]string {
	if n.ShortTag() == nullTag || !d.want(n, yaml.MappingNode, path) {
		return nil
	}
	texts := map[string]string{}
	d.entries(n, path, func(key, value *yaml.Node) {
		at := path + "[" + show(key.Value) + "]"
		value = d.resolve(value)
		d.object.places[at] = value
		if text, ok := d.text(value, at); ok {
			texts[key.Value] = text
		}
	})
	return texts
}
