package envoy

import (
	"errors"
	"fmt"
	"regexp"

	rbacpb "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbachttp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	uritemplate "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	"google.golang.org/protobuf/proto"
)

// Verdict is what filters make of a request.
type Verdict struct {
	// Allowed says whether all of them let it pass.
	Allowed bool
	// ShadowAllowed says whether their shadow rules would, too.
	ShadowAllowed bool
	// Logged and ShadowLogged say whether a rule of the action LOG matches, and one that is a shadow.
	Logged, ShadowLogged bool
}

// Evaluator judges requests. It keeps the regular expressions that it has compiled. Its zero value is ready.
type Evaluator struct{ expressions map[string]*regexp.Regexp }

// Judge asks all filters. Its error says what they hold that is not known here.
func (all *Evaluator) Judge(filters []*rbachttp.RBAC, r *Request) (Verdict, error) {
	e := &evaluation{Evaluator: all, request: r}
	v := Verdict{Allowed: true, ShadowAllowed: true}
	for _, f := range filters {
		if f.GetMatcher() != nil || f.GetShadowMatcher() != nil {
			e.unknown("matcher of an RBAC filter", f)
		}
		v.Allowed, v.Logged = e.engine(f.GetRules(), v.Allowed, v.Logged)
		v.ShadowAllowed, v.ShadowLogged = e.engine(f.GetShadowRules(), v.ShadowAllowed, v.ShadowLogged)
	}
	return v, e.err
}

// engine is one set of rules. Without rules there is no engine, and nothing changes.
func (e *evaluation) engine(rules *rbacpb.RBAC, allowed, logged bool) (allowedNow, loggedNow bool) {
	if rules == nil {
		return allowed, logged
	}
	matched := false
	for _, p := range rules.GetPolicies() {
		if p.GetCondition() != nil || p.GetCheckedCondition() != nil {
			e.unknown("condition", p)
		}
		matched = e.policy(p) || matched
	}
	switch rules.GetAction() {
	case rbacpb.RBAC_ALLOW:
		return allowed && matched, logged
	case rbacpb.RBAC_DENY:
		return allowed && !matched, logged
	case rbacpb.RBAC_LOG:
		return allowed, logged || matched
	}
	e.unknown("action", rules)
	return false, logged
}

// evaluation asks about one request, and keeps what it did not understand.
type evaluation struct {
	*Evaluator
	request *Request
	err     error
}

func (e *evaluation) unknown(what string, m proto.Message) bool {
	e.err = errors.Join(e.err, fmt.Errorf("envoy: unknown %s: %v", what, m))
	return false
}

// policy matches if one of its permissions and one of its principals do.
func (e *evaluation) policy(p *rbacpb.Policy) bool {
	permitted, identified := false, false
	for _, rule := range p.GetPermissions() {
		permitted = e.permission(rule) || permitted
	}
	for _, id := range p.GetPrincipals() {
		identified = e.principal(id) || identified
	}
	return permitted && identified
}

func (e *evaluation) permission(p *rbacpb.Permission) bool {
	r := e.request
	switch of := p.GetRule().(type) {
	case *rbacpb.Permission_Any:
		return of.Any
	case *rbacpb.Permission_AndRules:
		all := true
		for _, rule := range of.AndRules.GetRules() {
			all = e.permission(rule) && all
		}
		return all
	case *rbacpb.Permission_OrRules:
		one := false
		for _, rule := range of.OrRules.GetRules() {
			one = e.permission(rule) || one
		}
		return one
	case *rbacpb.Permission_NotRule:
		return !e.permission(of.NotRule)
	case *rbacpb.Permission_Header:
		return e.header(of.Header)
	case *rbacpb.Permission_UrlPath:
		return e.text(of.UrlPath.GetPath(), r.path())
	case *rbacpb.Permission_UriTemplate:
		template := &uritemplate.UriTemplateMatchConfig{}
		if err := of.UriTemplate.GetTypedConfig().UnmarshalTo(template); err != nil {
			return e.unknown("template", p)
		}
		return e.template(template.GetPathTemplate(), r.path())
	case *rbacpb.Permission_DestinationIp:
		return e.block(of.DestinationIp, r.Local.Addr())
	case *rbacpb.Permission_DestinationPort:
		return r.Local.IsValid() && uint32(r.Local.Port()) == of.DestinationPort
	case *rbacpb.Permission_Metadata:
		return e.metadata(of.Metadata)
	}
	return e.unknown("permission", p)
}

func (e *evaluation) principal(p *rbacpb.Principal) bool {
	r := e.request
	switch of := p.GetIdentifier().(type) {
	case *rbacpb.Principal_Any:
		return of.Any
	case *rbacpb.Principal_AndIds:
		all := true
		for _, id := range of.AndIds.GetIds() {
			all = e.principal(id) && all
		}
		return all
	case *rbacpb.Principal_OrIds:
		one := false
		for _, id := range of.OrIds.GetIds() {
			one = e.principal(id) || one
		}
		return one
	case *rbacpb.Principal_NotId:
		return !e.principal(of.NotId)
	case *rbacpb.Principal_Authenticated_:
		// The other names of a certificate are asked after the URI. Those of a mesh have none: the subject is empty.
		name := of.Authenticated.GetPrincipalName()
		uri, subject := e.text(name, r.Peer), e.text(name, "")
		return r.Peer != "" && (uri || subject)
	case *rbacpb.Principal_FilterState:
		if of.FilterState.GetKey() != "io.istio.peer_principal" {
			return e.unknown("state of a filter", p)
		}
		return e.text(of.FilterState.GetStringMatch(), r.Peer) && r.Peer != ""
	case *rbacpb.Principal_DirectRemoteIp:
		return e.block(of.DirectRemoteIp, r.Remote)
	case *rbacpb.Principal_RemoteIp:
		return e.block(of.RemoteIp, r.Remote)
	case *rbacpb.Principal_Header:
		return e.header(of.Header)
	case *rbacpb.Principal_Metadata:
		return e.metadata(of.Metadata)
	}
	return e.unknown("principal", p)
}
