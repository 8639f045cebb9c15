package istio

import (
	"fmt"
	"slices"
	"strings"

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

// request reads a RequestAuthentication. Its issuers belong into the configuration, which also says how their keys are
// kept fresh. What it says about claims and headers counts here.
func (s *selection) request(o *object) {
	r := new(securityv1.RequestAuthentication)
	if d := (&decoder{object: o, left: maxValues}); !d.spec(r) || s.of(o, r) == nowhere {
		return
	}
	for i, rule := range r.GetJwtRules() {
		at := fmt.Sprintf("spec.jwtRules[%d]", i)
		if rule.GetIssuer() == "" {
			o.wrongAt(at, "the issuer is missing; name it")
		}
		if len(rule.GetFromParams()) > 0 {
			o.wrongAt(at+".fromParams", "a gRPC call has no parameters; take it out")
		}
		if len(rule.GetFromCookies()) > 0 {
			o.wrongAt(at+".fromCookies", "a gRPC call has no cookies; take it out")
		}
		if rule.GetPresence() != securityv1.JWTRule_OPTIONAL {
			o.wrongAt(at+".presence", "it is not enforced here; demand the user in the policies of the methods, with "+
				"auth.user, and take it out")
		}
		s.words = append(s.words, rule.GetSpaceDelimitedClaims()...)
		if header := rule.GetOutputPayloadToHeader(); header != "" {
			s.written = append(s.written, lower(header))
		}
		for _, out := range rule.GetOutputClaimToHeaders() {
			s.written = append(s.written, lower(out.GetHeader()))
		}
		s.note(o, at, "users of %s are taken only if the configuration names the issuer: users.issuers: [{%s}]",
			rule.GetIssuer(), issuerOf(rule))
	}
}

// issuerOf is the issuer as the configuration of package framework states it.
func issuerOf(rule *securityv1.JWTRule) string {
	text := "issuer: " + rule.GetIssuer()
	switch {
	case rule.GetJwks() != "":
		text += ", keys: {file: a file with the jwks}"
	case rule.GetJwksUri() != "":
		text += ", keys: {url: " + rule.GetJwksUri() + "}"
	}
	if audiences := rule.GetAudiences(); len(audiences) > 0 {
		text += ", audiences: [" + strings.Join(audiences, ", ") + "]"
	}
	return text
}
