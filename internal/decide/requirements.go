package decide

import (
	"context"
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// requirements are what a policy demands of a call, compiled, so that a decision allocates nothing.
type requirements struct {
	access  policy.Value[policy.Access]
	carrier policy.Value[principal.Carrier]
	peers   []peerList // the caller must match one pattern of each
	scopes  policy.Value[[]string]
	deny    []*rule
	allow   []allowList // one rule of each must hold
	user    policy.User
	stepUp  bool // a caller learns that only scopes or claims keep it out
}

type peerList struct {
	patterns []principal.Pattern
	source   policy.Source
}

type allowList struct {
	rules  []*rule
	source policy.Source
}

// judge decides on a call, and keeps in the trail how.
func (d *requirements) judge(ctx context.Context, call *policy.Call, t *trail) Decision {
	return t.end(d.decide(ctx, call, t))
}

// decide asks what is unproven for its credential, then lets one deny rule refuse, then everything that is demanded
// must be there. What another token could mend comes last.
func (d *requirements) decide(ctx context.Context, call *policy.Call, t *trail) Decision {
	if call.Peer == nil && d.wantsPeer() {
		return Decision{reason: rpcerr.CredentialsMissing, why: "the caller has proven nothing", source: &d.access.Source}
	}
	for _, r := range d.deny {
		m := r.match(ctx, call)
		t.rule(askedDeny, r, m)
		switch m {
		case fits:
			return d.refuse(call, Decision{why: "denied by rule", name: r.stated.Name, source: &r.stated.Source})
		case broke:
			return d.refuse(call, brokenRule(r))
		case misses, lacks:
		}
	}
	if why := d.shut(); why != "" {
		return d.refuse(call, Decision{why: why, source: &d.access.Source})
	}
	if refusal := d.judgePeer(call, t); !refusal.Allows() {
		return refusal
	}
	lacking, refusal := d.judgeUser(call, t)
	if !refusal.Allows() {
		return refusal
	}
	for i := range d.allow {
		list := &d.allow[i]
		switch best := list.best(ctx, call, t); {
		case best.match == broke:
			return d.refuse(call, brokenRule(best.rule))
		case best.match == misses:
			return d.refuse(call, Decision{why: "no allow rule holds", source: &list.source})
		case best.match == lacks && lacking.Allows():
			lacking = d.refuseLack(
				call,
				Decision{why: "the token lacks scopes or claims for rule", name: best.rule.stated.Name, source: &list.source},
			)
		}
	}
	if lacking.Allows() {
		lacking = d.judgeScopes(call, t)
	}
	return lacking
}

// refuse gives a refusal its reason. A caller that could not be identified does not learn that it is forbidden.
func (d *requirements) refuse(call *policy.Call, r Decision) Decision {
	r.reason = rpcerr.PolicyDenied
	if call.Peer == nil && call.User == nil {
		r.reason = rpcerr.CredentialsMissing
	}
	return r
}

// refuseLack is refuse where another token could mend what is missing.
func (d *requirements) refuseLack(call *policy.Call, r Decision) Decision {
	r = d.refuse(call, r)
	if d.stepUp && r.reason == rpcerr.PolicyDenied {
		r.reason = rpcerr.InsufficientScope
	}
	return r
}

// wantsPeer reports whether only callers that have proven who they are may call.
func (d *requirements) wantsPeer() bool {
	return d.access.Stated() && d.access.Value != policy.AccessAnonymous || d.carrier.Stated() || len(d.peers) != 0 ||
		d.scopes.Stated()
}

// shut says why no caller may call, or "".
func (d *requirements) shut() string {
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

// judgeUser returns what the user's token lacks, and apart from that what no other token of the user could mend.
func (d *requirements) judgeUser(call *policy.Call, t *trail) (lacking, refusal Decision) {
	u := call.User
	if u == nil {
		if d.user.Presence.Value == policy.PresenceRequired {
			return Decision{}, Decision{
				reason: rpcerr.CredentialsMissing,
				why:    "the call names no user",
				source: &d.user.Presence.Source,
			}
		}
		return Decision{}, Decision{}
	}
	if d.user.Issuers.Stated() && !slices.Contains(d.user.Issuers.Value, u.Issuer) {
		return Decision{}, d.refuse(
			call,
			Decision{why: "the method does not take the word of the user's issuer", source: &d.user.Issuers.Source},
		)
	}
	t.demand("user", &d.user.Presence.Source)
	for _, scope := range d.user.Scopes.Value {
		if !slices.Contains(u.Scopes, scope) {
			return d.refuseLack(
				call,
				Decision{why: "the user's token lacks scope", name: scope, source: &d.user.Scopes.Source},
			), Decision{}
		}
	}
	return Decision{}, Decision{}
}

func (d *requirements) judgePeer(call *policy.Call, t *trail) Decision {
	if d.carrier.Stated() && call.Peer.Carrier < d.carrier.Value {
		return d.refuse(
			call,
			Decision{why: "the method requires carrier", name: d.carrier.Value.String(), source: &d.carrier.Source},
		)
	}
	t.demand("carrier", &d.carrier.Source)
	for i := range d.peers {
		list := &d.peers[i]
		if !principal.MatchesAny(list.patterns, call.Peer.ID) {
			return d.refuse(call, Decision{why: "the caller is not among the peers", source: &list.source})
		}
		t.demand("peers", &list.source)
	}
	return Decision{}
}

func (d *requirements) judgeScopes(call *policy.Call, t *trail) Decision {
	for _, scope := range d.scopes.Value {
		if !slices.Contains(call.Peer.Scopes, scope) {
			return d.refuseLack(call, Decision{why: "the caller's token lacks scope", name: scope, source: &d.scopes.Source})
		}
	}
	t.demand("scopes", &d.scopes.Source)
	return Decision{}
}

// bestMatch is the rule of a list that fits best.
type bestMatch struct {
	rule  *rule
	match match
}

func (l *allowList) best(ctx context.Context, call *policy.Call, t *trail) bestMatch {
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

func brokenRule(r *rule) Decision {
	return Decision{why: "a predicate panicked in rule", name: r.stated.Name, source: &r.stated.Source}
}
