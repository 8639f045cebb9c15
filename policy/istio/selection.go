package istio

import (
	"fmt"
	"slices"

	securityv1 "istio.io/api/security/v1beta1"
	typev1 "istio.io/api/type/v1beta1"

	"github.com/parley-rpc/parley/policy"
)

// waypointClass is the class of gateways that stand before workloads of an ambient mesh.
const waypointClass = "istio-waypoint"

// where says which of the enforcement points of the mesh a policy counts at, whose place this process takes.
type where int

const (
	nowhere    where = iota
	atWorkload       // the sidecar
	atWaypoint       // the waypoint proxy before the workload
)

// selection is the policies that count for a workload, and what is to be said of the others.
type selection struct {
	workload  Workload
	waypoints []string // of the namespace
	words     wordClaims
	written   []string     // headers that the sidecar wrote from verified tokens
	users     [2][]jwtRule // by the point of the mesh that checked the tokens
	notes     []policy.Note
}

func newSelection(w Workload, skipped []*object) *selection {
	s := &selection{workload: w, waypoints: slices.Clone(w.Waypoints), words: wordClaims{}}
	for _, o := range skipped {
		if o.group == gatewayGroup && o.kind == "Gateway" && o.namespace == w.Namespace && o.gatewayClass() == waypointClass {
			s.waypoints = append(s.waypoints, o.name)
		}
	}
	return s
}

// gatewayClass is the spec.gatewayClassName of a Gateway.
func (o *object) gatewayClass() string {
	if o.spec == nil {
		return ""
	}
	for i := 0; i+1 < len(o.spec.Content); i += 2 {
		if o.spec.Content[i].Value == "gatewayClassName" {
			return o.spec.Content[i+1].Value
		}
	}
	return ""
}

func (s *selection) note(o *object, path, format string, args ...any) {
	s.notes = append(s.notes, policy.Note{
		Place: o.placeOf(path), Subject: o.subject(), Text: fmt.Sprintf(format, args...),
	})
}

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

// of says where a policy counts for the workload.
func (s *selection) of(o *object, p targeting) where {
	root := o.namespace == s.workload.RootNamespace
	if refs := targetsOf(p); len(refs) > 0 {
		if o.namespace != s.workload.Namespace && !root {
			return nowhere
		}
		for i, ref := range refs {
			if s.targeted(o, i, ref, root) {
				return atWaypoint
			}
		}
		return nowhere
	}
	if !s.selects(o, p.GetSelector()) {
		return nowhere
	}
	return atWorkload
}

// selects reports whether a selector in the namespace of an object matches the workload.
func (s *selection) selects(o *object, selector *typev1.WorkloadSelector) bool {
	near := o.namespace == s.workload.RootNamespace || o.namespace == s.workload.Namespace
	return near && s.workload.selectedBy(selector.GetMatchLabels())
}

// targeted reports whether a target is a Service of the workload or a waypoint before it. Istio takes no target of
// another namespace.
func (s *selection) targeted(o *object, i int, ref *typev1.PolicyTargetReference, root bool) bool {
	path := fmt.Sprintf("spec.targetRefs[%d]", i)
	own := o.namespace == s.workload.Namespace &&
		(ref.GetNamespace() == "" || ref.GetNamespace() == s.workload.Namespace)
	switch {
	case ref.GetKind() == "Service" && (ref.GetGroup() == "" || ref.GetGroup() == "core"):
		return own && slices.Contains(s.workload.Services, ref.GetName())
	case ref.GetKind() == "GatewayClass" && ref.GetGroup() == gatewayGroup && ref.GetName() == waypointClass && root:
		if len(s.waypoints) == 0 {
			s.note(o, path, "it is not enforced, because no waypoint of the workload is known; if there was one, "+
				"name it in Workload.Waypoints")
		}
		return len(s.waypoints) > 0
	case ref.GetKind() == "Gateway" && ref.GetGroup() == gatewayGroup && own:
		if slices.Contains(s.waypoints, ref.GetName()) {
			return true
		}
		s.note(o, path, "it is left to the gateway %s; if that was a waypoint of the workload, name it in "+
			"Workload.Waypoints", ref.GetName())
	case own:
		s.note(o, path, "it is left to the %s %s, which is not this workload", ref.GetKind(), ref.GetName())
	}
	return false
}

// enforceable reports what a policy that counts asks for and nothing here can answer. One that is only tried or audited
// refuses no call, so it is noted, and left out.
func (s *selection) enforceable(a *authorization, at where) bool {
	if a.spec.GetAction() == securityv1.AuthorizationPolicy_CUSTOM {
		return s.refuse(a, "spec.action", "the action CUSTOM asks a service outside of this process, which is not "+
			"supported; take the policy out of the folder and ask that service in an interceptor of the program")
	}
	good := true
	for _, rule := range a.rules {
		for _, conditions := range slices.Concat(rule.from, rule.to, [][]statedCondition{rule.when}) {
			for _, c := range conditions {
				why := c.refusal(s.workload)
				if c.isAboutUsers() && s.hides(at) {
					why = "no RequestAuthentication counts at this point of the mesh, where users are therefore unknown, and one " +
						"counts at another; let one count at both"
				}
				if c.attribute == attributeHeader && slices.Contains(s.written, c.header) {
					why = "a RequestAuthentication lets the sidecar write this header from a verified token, and without it a " +
						"caller can write there what it likes; ask for the claim"
				}
				if why != "" {
					good = s.refuse(a, c.path, "%s", why) && good
				}
			}
		}
	}
	return good
}

// refuse reports what cannot be enforced, and returns false.
func (s *selection) refuse(a *authorization, path, format string, args ...any) bool {
	if a.dryRun || a.spec.GetAction() == securityv1.AuthorizationPolicy_AUDIT {
		s.note(a.object, path, "the policy is not tried: "+format, args...)
	} else {
		a.object.wrongAt(path, format, args...)
	}
	return false
}
