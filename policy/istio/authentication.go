package istio

import (
	"fmt"
	"slices"

	securityv1 "istio.io/api/security/v1beta1"
)

const (
	kindRequest = "RequestAuthentication"
	kindPeer    = "PeerAuthentication"
)

// authentication reads the objects that say how callers and users prove who they are.
func (s *selection) authentication(objects []*object) {
	var levels [3][]peerMode
	for _, o := range objects {
		switch o.kind {
		case kindRequest:
			s.request(o)
		case kindPeer:
			s.peer(o, &levels)
		}
	}
	s.compareUsers()
	for _, level := range slices.Backward(levels[:]) {
		for _, p := range level {
			if p.mode != securityv1.PeerAuthentication_MutualTLS_STRICT {
				p.object.wrongAt(p.path, "%s is not supported: every caller proves who it is; write STRICT", p.mode)
			}
		}
		if len(level) > 0 {
			return // which hides those that are about more workloads
		}
	}
}

// peerMode is what a PeerAuthentication demands of the workload's callers.
type peerMode struct {
	object *object
	path   string
	mode   securityv1.PeerAuthentication_MutualTLS_Mode
}

// peer reads a PeerAuthentication into the level that it is about: the mesh, the namespace, or a part of it. STRICT is
// what Parley does, and whatever is less is refused by name, if it counts.
func (s *selection) peer(o *object, levels *[3][]peerMode) {
	p := new(securityv1.PeerAuthentication)
	if d := (&decoder{object: o, left: maxValues}); !d.spec(p) || !s.selects(o, p.GetSelector()) {
		return
	}
	level := 1
	switch {
	case len(p.GetSelector().GetMatchLabels()) > 0:
		level = 2
	case o.namespace == s.workload.RootNamespace:
		level = 0
	}
	if mode := p.GetMtls().GetMode(); mode != securityv1.PeerAuthentication_MutualTLS_UNSET {
		levels[level] = append(levels[level], peerMode{o, "spec.mtls.mode", mode})
	}
	for port, mtls := range p.GetPortLevelMtls() {
		if mode := mtls.GetMode(); mode != securityv1.PeerAuthentication_MutualTLS_UNSET {
			path := fmt.Sprintf("spec.portLevelMtls[%q].mode", fmt.Sprint(port))
			levels[level] = append(levels[level], peerMode{o, path, mode})
		}
	}
}
