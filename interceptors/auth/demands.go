package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// demands are what a policy demands of a call, compiled, so that to decide on a call allocates nothing.
type demands struct {
	access  policy.Value[policy.Access]
	carrier policy.Value[principal.Carrier]
	peers   []peerList // the caller must match one pattern of each
	scopes  policy.Value[[]string]
	deny    []*rule
	allow   []allowList // one rule of each must hold
	user    policy.User
}

type peerList struct {
	patterns []principal.Pattern
	source   policy.Source
}

type allowList struct {
	rules  []*rule
	source policy.Source
}

// demand compiles what is stated in a. What it returns is never nil, but good only without an error.
func (g *Gate) demand(m policy.Method, a policy.Auth) (*demands, error) {
	d := &demands{access: a.Access, carrier: a.Carrier, scopes: a.Scopes, user: a.User}
	var errs []error
	for _, stated := range a.Peers {
		patterns := make([]principal.Pattern, 0, len(stated.Value))
		for _, text := range stated.Value {
			p, err := g.identity.self.TrustDomain().ParsePeer(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: auth.peers: %w", stated.Source, m.Name, err))
				continue
			}
			patterns = append(patterns, p)
		}
		d.peers = append(d.peers, peerList{patterns, stated.Source})
	}
	var err error
	d.deny, err = g.compileRules(m, "deny", a.Deny)
	errs = append(errs, err)
	for _, stated := range a.Allow {
		rules, err := g.compileRules(m, "allow", stated.Value)
		errs = append(errs, err)
		d.allow = append(d.allow, allowList{rules, stated.Source})
	}
	if len(d.peers) > 0 && errors.Join(errs...) == nil {
		errs = append(errs, d.neverMatched(m))
	}
	if a.Scopes.Stated() {
		if err := g.checkTokens(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: auth.scopes: %w", a.Scopes.Source, m.Name, err))
		}
	}
	return d, errors.Join(append(errs, g.checkUserDemand(m, a.User))...)
}

// rule decides on a call, and keeps in the trail how.
func (d *demands) rule(ctx context.Context, call *Call, t *trail) ruling {
	return t.end(d.decide(ctx, call, t))
}

// decide asks what is unproven for its credential, then lets one deny rule refuse, then everything that is demanded must be there.
// What another token could mend comes last.
func (d *demands) decide(ctx context.Context, call *Call, t *trail) ruling {
	if call.Peer == nil && d.wantsPeer() {
		return ruling{reason: rpcerr.CredentialsMissing, why: "the caller has proven nothing", source: &d.access.Source}
	}
	for _, r := range d.deny {
		m := r.match(ctx, call)
		t.rule(askedDeny, r, m)
		switch m {
		case fits:
			return d.refuse(call, ruling{why: "denied by rule", name: r.stated.Name, source: &r.stated.Source})
		case broke:
			return d.refuse(call, brokenRule(r))
		case misses, lacks:
		}
	}
	if why := d.shut(); why != "" {
		return d.refuse(call, ruling{why: why, source: &d.access.Source})
	}
	if refusal := d.rulePeer(call, t); !refusal.allows() {
		return refusal
	}
	lacking, refusal := d.ruleUser(call, t)
	if !refusal.allows() {
		return refusal
	}
	for i := range d.allow {
		list := &d.allow[i]
		switch best := list.best(ctx, call, t); {
		case best.match == broke:
			return d.refuse(call, brokenRule(best.rule))
		case best.match == misses:
			return d.refuse(call, ruling{why: "no allow rule holds", source: &list.source})
		case best.match == lacks && lacking.allows():
			lacking = d.refuse(call, ruling{why: "the token lacks scopes or claims for rule", name: best.rule.stated.Name, source: &list.source, stepUp: true})
		}
	}
	if lacking.allows() {
		lacking = d.ruleScopes(call, t)
	}
	return lacking
}

// refuse gives a refusal its reason: one who could not be identified is not told that it is forbidden.
func (d *demands) refuse(call *Call, r ruling) ruling {
	r.reason = rpcerr.PolicyDenied
	if call.Peer == nil && call.User == nil {
		r.reason, r.stepUp = rpcerr.CredentialsMissing, false
	}
	return r
}

// wantsPeer tells whether only callers that have proven who they are may call.
func (d *demands) wantsPeer() bool {
	return d.access.Stated() && d.access.Value != policy.AccessAnonymous || d.carrier.Stated() || len(d.peers) != 0 || d.scopes.Stated()
}

// shut says why nobody may call, or "".
func (d *demands) shut() string {
	switch d.access.Value {
	case policy.AccessUnspecified, policy.AccessAnonymous, policy.AccessAuthenticated:
		return "" // a trial need not say
	case policy.AccessPeers:
		if len(d.peers) == 0 {
			return "no peers are listed"
		}
		return ""
	case policy.AccessDenied:
		return "access is denied to everybody"
	default:
		return "the level of access is unknown"
	}
}

// ruleUser returns what the user's token lacks, and apart from that what no other token of the user could mend.
func (d *demands) ruleUser(call *Call, t *trail) (lacking, refusal ruling) {
	u := call.User
	if u == nil {
		if d.user.Presence.Value == policy.PresenceRequired {
			return ruling{}, ruling{reason: rpcerr.CredentialsMissing, why: "the call names no user", source: &d.user.Presence.Source}
		}
		return ruling{}, ruling{}
	}
	if d.user.Issuers.Stated() && !slices.Contains(d.user.Issuers.Value, u.Issuer) {
		return ruling{}, d.refuse(call, ruling{why: "the method does not take the word of the user's issuer", source: &d.user.Issuers.Source})
	}
	t.demand("user", &d.user.Presence.Source)
	for _, scope := range d.user.Scopes.Value {
		if !slices.Contains(u.Scopes, scope) {
			return d.refuse(call, ruling{why: "the user's token lacks scope", name: scope, source: &d.user.Scopes.Source, stepUp: true}), ruling{}
		}
	}
	return ruling{}, ruling{}
}

func (d *demands) rulePeer(call *Call, t *trail) ruling {
	if d.carrier.Stated() && call.Peer.Carrier < d.carrier.Value {
		return d.refuse(call, ruling{why: "the method demands carrier", name: d.carrier.Value.String(), source: &d.carrier.Source})
	}
	t.demand("carrier", &d.carrier.Source)
	for i := range d.peers {
		list := &d.peers[i]
		if !principal.MatchesAny(list.patterns, call.Peer.ID) {
			return d.refuse(call, ruling{why: "the caller is not among the peers", source: &list.source})
		}
		t.demand("peers", &list.source)
	}
	return ruling{}
}

func (d *demands) ruleScopes(call *Call, t *trail) ruling {
	for _, scope := range d.scopes.Value {
		if !slices.Contains(call.Peer.Scopes, scope) {
			return d.refuse(call, ruling{why: "the caller's token lacks scope", name: scope, source: &d.scopes.Source, stepUp: true})
		}
	}
	t.demand("scopes", &d.scopes.Source)
	return ruling{}
}

// bestMatch is the rule of a list that fits best.
type bestMatch struct {
	rule  *rule
	match match
}

func (l *allowList) best(ctx context.Context, call *Call, t *trail) bestMatch {
	var best bestMatch
	for _, r := range l.rules {
		m := r.match(ctx, call)
		t.rule(askedAllow, r, m)
		if m > best.match {
			best = bestMatch{r, m}
		}
		if m >= fits {
			break
		}
	}
	return best
}
