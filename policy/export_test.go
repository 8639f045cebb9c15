package policy

import (
	"google.golang.org/protobuf/reflect/protoregistry"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// FromFiles is FromProto for descriptors that are not linked.
func FromFiles(files *protoregistry.Files) *Table { return newTable(files, nil) }

// What the external tests look at.
const (
	MaxUndescribedMethods = maxUndescribedMethods
	MaxUndescribedName    = maxUndescribedName
)

// SplitName is splitName.
func SplitName(name string) (service, method string, ok bool) { return splitName(name) }

// Same is Rule.same.
func (r Rule) Same(other Rule) bool { return r.same(&other) }

// ReadRule reads one rule; the mistakes are what is wrong with it.
func ReadRule(stated *policyv1.Rule) (Rule, []error) {
	r := &reader{source: Source{Kind: KindCode, Place: "test"}}
	return r.rule("rule", stated), r.mistakes
}

// Collision is collision.
func Collision(files *protoregistry.Files, types *protoregistry.Types) *Mistake {
	return collision(files, types)
}

// Reached is described.reached for the linked .proto files.
func Reached(key string) (methods []string, problem string) {
	return newDescribed(protoregistry.GlobalFiles).reached(key)
}

// Keeps reports whether a View keeps what it has compiled of a where b takes its place.
func Keeps(a, b Method) bool { return (&merged{method: a}).keeps(&merged{method: b}) }
