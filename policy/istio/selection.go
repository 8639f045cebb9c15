package istio

import (
	"fmt"
	"slices"

	securityv1 "istio.io/api/security/v1beta1"

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
