package istio

import (
	"fmt"
	"maps"
	"slices"

	typev1 "istio.io/api/type/v1beta1"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// targeting is a policy that says what it is about.
type targeting interface {
	GetSelector() *typev1.WorkloadSelector
	GetTargetRef() *typev1.PolicyTargetReference
	GetTargetRefs() []*typev1.PolicyTargetReference
}

// targetsOf are the references of either kind.
func targetsOf(p targeting) []*typev1.PolicyTargetReference {
	if refs := p.GetTargetRefs(); len(refs) > 0 {
		return refs
	}
	if ref := p.GetTargetRef(); ref != nil {
		return []*typev1.PolicyTargetReference{ref}
	}
	return nil
}

// targetGroups are the kinds that targetRefs name, with their groups.
func targetGroups() map[string][]string {
	return map[string][]string{
		"Service": {"", "core"}, "Gateway": {gatewayGroup}, "GatewayClass": {gatewayGroup}, "ServiceEntry": {networkingGroup},
	}
}

// wrongTarget says what is misspelled in a target, so that it would be left to what is not there, or "".
func wrongTarget(ref *typev1.PolicyTargetReference) string {
	known := targetGroups()
	kinds := slices.Sorted(maps.Keys(known))
	groups, ok := known[ref.GetKind()]
	switch near := nearest.Of(ref.GetKind(), kinds); {
	case ref.GetKind() == "" || ref.GetName() == "":
		return "a target has a kind and a name; write them"
	case !ok && near != "":
		return fmt.Sprintf("kind %s is not known; did you mean %q?", show(ref.GetKind()), near)
	case ok && !slices.Contains(groups, ref.GetGroup()):
		return fmt.Sprintf("group %s has no kind %s; write group: %q", show(ref.GetGroup()), ref.GetKind(), groups[0])
	}
	return ""
}

// of says where a policy counts for the workload.
func (s *selection) of(o *object, p targeting) where {
	refs := targetsOf(p)
	if len(refs) == 0 {
		if s.selects(o, p.GetSelector()) {
			return atWorkload
		}
		return nowhere
	}
	if !s.isNear(o) {
		return nowhere
	}
	before := len(s.notes)
	for i, ref := range refs {
		if s.targeted(o, i, ref) {
			s.notes = s.notes[:before] // it counts, whatever it is about besides
			return atWaypoint
		}
	}
	return nowhere
}

// isNear reports whether an object is in a namespace whose policies count for the workload.
func (s *selection) isNear(o *object) bool {
	return o.namespace == s.workload.RootNamespace || o.namespace == s.workload.Namespace
}

// selects reports whether a selector in the namespace of an object matches the workload.
func (s *selection) selects(o *object, selector *typev1.WorkloadSelector) bool {
	if !s.isNear(o) {
		return false
	}
	why := s.workload.unselected(selector.GetMatchLabels())
	if why != "" {
		s.note(o, "spec.selector", "does not count: %s", why)
	}
	return why == ""
}

// targeted reports whether a target is a Service of the workload or a waypoint before it. Istio takes no target of
// another namespace.
func (s *selection) targeted(o *object, i int, ref *typev1.PolicyTargetReference) bool {
	path := fmt.Sprintf("spec.targetRefs[%d]", i)
	inside := ref.GetNamespace() == "" || ref.GetNamespace() == o.namespace
	own := inside && o.namespace == s.workload.Namespace
	switch kind := ref.GetKind(); {
	case !inside:
		s.note(o, path, "does not count: Istio takes no target of another namespace than that of the policy, and this one "+
			"is in %s", show(ref.GetNamespace()))
	case kind == "GatewayClass" && o.namespace != s.workload.RootNamespace:
		s.note(o, path, "does not count: Istio takes a GatewayClass only in the root namespace")
	case kind == "GatewayClass" && ref.GetName() == waypointClass && len(s.waypoints) > 0:
		return true
	case kind == "GatewayClass" && ref.GetName() == waypointClass:
		s.note(o, path, "it is not enforced, because no waypoint of the workload is known; if there was one, "+
			"name it in Workload.Waypoints")
	case own && kind == "Service" && slices.Contains(s.workload.Services, ref.GetName()),
		own && kind == "Gateway" && slices.Contains(s.waypoints, ref.GetName()):
		return true
	case own && kind == "Service":
		s.note(o, path, "does not count: Workload.Services has no %s; if that Service leads to the workload, name it there",
			ref.GetName())
	case own && kind == "Gateway":
		s.note(o, path, "it is left to the gateway %s; if that was a waypoint of the workload, name it in "+
			"Workload.Waypoints", ref.GetName())
	default:
		s.note(o, path, "it is left to the %s %s, which is not this workload", kind, ref.GetName())
	}
	return false
}
