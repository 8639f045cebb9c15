package decide

import (
	"context"
	"slices"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// requirements are what a policy asks of a call, compiled, so that a decision allocates nothing.
type requirements struct {
	access  policy.Value[policy.Access]
	carrier policy.Value[principal.Carrier]
	peers   []peerList // the caller must match one pattern of each
	scopes  policy.Value[[]string]
	deny    []*rule
	allow   []allowList // one rule of each must hold
	user    policy.User
	guards  []policy.MethodGuard
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
func (req *requirements) judge(ctx context.Context, call *policy.Call, t *trail) Decision {
	return t.end(req.decide(ctx, call, t))
}

// decide first asks a caller that has proven nothing for its credentials. Then any one deny rule refuses, and then
// every requirement must be met. A requirement that another token could meet comes last.
func (req *requirements) decide(ctx context.Context, call *policy.Call, t *trail) Decision {
	if call.Peer == nil && req.needsPeer() {
		return Decision{reason: rpcerr.CredentialsMissing, why: "the caller has proven nothing", source: &req.access.Source}
	}
	for _, r := range req.deny {
		m := r.match(ctx, call)
		t.rule(askedDeny, r, m)
		switch m {
		case fits:
			return req.refuse(call, Decision{why: "denied by rule", name: r.stated.Name, source: &r.stated.Source})
		case broke:
			return req.refuse(call, brokenRule(r))
		case misses, lacks:
		}
	}
	if why := req.denyAll(); why != "" {
		return req.refuse(call, Decision{why: why, source: &req.access.Source})
	}
	if refusal := req.judgePeer(call, t); !refusal.Allows() {
		return refusal
	}
	lacking, refusal := req.judgeUser(call, t)
	if !refusal.Allows() {
		return refusal
	}
	for i := range req.allow {
		list := &req.allow[i]
		switch best := list.best(ctx, call, t); {
		case best.match == broke:
			return req.refuse(call, brokenRule(best.rule))
		case best.match == misses:
			return req.refuse(call, Decision{why: "no allow rule holds", source: &list.source})
		case best.match == lacks && lacking.Allows():
			lacking = req.refuseLack(
				call,
				Decision{why: "the token lacks scopes or claims for rule", name: best.rule.stated.Name, source: &list.source},
			)
		}
	}
	if objection := req.askGuards(ctx, call, t); objection != nil {
		return req.refuse(call, Decision{
			why: objection.Why, name: objection.Rule, source: &objection.Source, guard: true,
		})
	}
	if lacking.Allows() {
		lacking = req.judgeScopes(call, t)
	}
	return lacking
}

// askGuards returns the objection of the first guard that has one.
func (req *requirements) askGuards(ctx context.Context, call *policy.Call, t *trail) *policy.Objection {
	for _, guard := range req.guards {
		if t == nil {
			if objection := guard.Judge(ctx, *call); objection != nil {
				return objection
			}
			continue
		}
		objection, steps := guard.Explain(ctx, *call)
		t.steps = append(t.steps, steps...)
		if objection != nil {
			return objection
		}
	}
	return nil
}

// refuse gives a refusal its reason. A caller that could not be identified does not learn that it is forbidden.
func (req *requirements) refuse(call *policy.Call, r Decision) Decision {
	r.reason = rpcerr.PolicyDenied
	if call.Peer == nil && call.User == nil {
		r.reason = rpcerr.CredentialsMissing
	}
	return r
}

// refuseLack is refuse for a call that another token of the caller could make possible.
func (req *requirements) refuseLack(call *policy.Call, r Decision) Decision {
	r = req.refuse(call, r)
	if req.stepUp && r.reason == rpcerr.PolicyDenied {
		r.reason = rpcerr.InsufficientScope
	}
	return r
}

// needsPeer reports whether only callers that have proven who they are may call.
func (req *requirements) needsPeer() bool {
	return req.access.Stated() && req.access.Value != policy.AccessAnonymous || req.carrier.Stated() || len(req.peers) != 0 ||
		req.scopes.Stated()
}

// denyAll says why no caller at all may call, and "" when some may.
func (req *requirements) denyAll() string {
	switch req.access.Value {
	case policy.AccessUnspecified, policy.AccessAnonymous, policy.AccessAuthenticated:
		return "" // a trial need not say
	case policy.AccessPeers:
		if len(req.peers) == 0 {
			return "no peers are listed"
		}
		return ""
	case policy.AccessDenied:
		return "access is denied to every caller"
	default:
		return "the level of access is unknown"
	}
}

// judgeUser returns two refusals: lacking for what another token of the user could have, refusal for all else.
func (req *requirements) judgeUser(call *policy.Call, t *trail) (lacking, refusal Decision) {
	u := call.User
	if u == nil {
		if req.user.Presence.Value == policy.PresenceRequired {
			return Decision{}, Decision{
				reason: rpcerr.CredentialsMissing,
				why:    "the call names no user",
				source: &req.user.Presence.Source,
			}
		}
		return Decision{}, Decision{}
	}
	if req.user.Issuers.Stated() && !slices.Contains(req.user.Issuers.Value, u.Issuer) {
		return Decision{}, req.refuse(
			call,
			Decision{why: "the method does not take the word of the user's issuer", source: &req.user.Issuers.Source},
		)
	}
	t.met("user", &req.user.Presence.Source)
	for _, scope := range req.user.Scopes.Value {
		if !slices.Contains(u.Scopes, scope) {
			return req.refuseLack(
				call,
				Decision{why: "the user's token lacks scope", name: scope, source: &req.user.Scopes.Source},
			), Decision{}
		}
	}
	return Decision{}, Decision{}
}

func (req *requirements) judgePeer(call *policy.Call, t *trail) Decision {
	if req.carrier.Stated() && call.Peer.Carrier < req.carrier.Value {
		return req.refuse(
			call,
			Decision{why: "the method requires carrier", name: req.carrier.Value.String(), source: &req.carrier.Source},
		)
	}
	t.met("carrier", &req.carrier.Source)
	for i := range req.peers {
		list := &req.peers[i]
		if !principal.MatchesAny(list.patterns, call.Peer.ID) {
			return req.refuse(call, Decision{why: "the caller is not among the peers", source: &list.source})
		}
		t.met("peers", &list.source)
	}
	return Decision{}
}

func (req *requirements) judgeScopes(call *policy.Call, t *trail) Decision {
	for _, scope := range req.scopes.Value {
		if !slices.Contains(call.Peer.Scopes, scope) {
			return req.refuseLack(call, Decision{why: "the caller's token lacks scope", name: scope, source: &req.scopes.Source})
		}
	}
	t.met("scopes", &req.scopes.Source)
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
