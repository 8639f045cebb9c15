package policy

import (
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/principal"
)

// Auth says who may call a method.
type Auth struct {
	// Access is how strictly callers are checked. Not stated: no decision was made, and a server must not start.
	Access Value[Access]
	// Peers holds one list for each statement that lists peers. The caller must match one pattern of each list. The
	// patterns are not interpreted here. With AccessPeers there is at least one list, and no list is empty.
	Peers []Value[[]string]
	// Scopes are the scopes that the caller's token must carry, all of them, sorted.
	Scopes Value[[]string]
	// Carrier is the weakest carrier over which the caller may have proven itself. Not stated: any.
	Carrier Value[principal.Carrier]
	// Proof is how often both ends prove themselves in token mode. Not stated: [ProofSession].
	Proof Value[Proof]
	// Deny are the rules of which none may hold.
	Deny []Rule
	// Allow holds one list for each statement that lists rules which allow. One rule of each list must hold. No list is
	// empty.
	Allow []Value[[]Rule]
	// User says what the end user must be.
	User User
	// Guards are rules of another kind, of which each must let the call pass.
	Guards []Guard
}

func (r *reader) auth(a *policyv1.Auth) Auth {
	access, carrier, proof := r.access(a.GetAccess()), r.carrier(a.GetCarrier()), r.proof(a.GetProof())
	peers := r.words("auth.peers", a.GetPeers())
	scopes := r.literals("auth.scopes", nameEach, a.GetScopes())
	if access == AccessAnonymous || access == AccessAuthenticated {
		if len(peers) > 0 {
			r.wrong("auth",
				"access is %s, which asks for no peer, but peers are listed; leave access out, or take the peers out", access)
			access = AccessPeers
		}
	}
	if access == AccessAnonymous && r.source.Reach != "" {
		r.wrong("auth.access", "anonymous cannot be said of everything at once, which would open methods that nobody "+
			"thought of; say it of each method or service")
	}
	if access == AccessAnonymous {
		if len(scopes) > 0 {
			r.wrong("auth",
				"access is anonymous, but scopes are listed, which only a proven caller carries; "+
					"leave access out, or take the scopes out")
		}
		if carrier != principal.CarrierUnspecified {
			r.wrong("auth",
				"access is anonymous, but a carrier of the caller's proof is stated; leave access out, or take the carrier out")
		}
		if proof != ProofUnspecified {
			r.wrong("auth",
				"access is anonymous, but a proof is stated, which an anonymous caller neither gives nor gets; "+
					"leave access out, or take the proof out")
		}
	}
	deny, allow := r.rules("auth.deny", a.GetDeny()), r.rules("auth.allow", a.GetAllow())
	r.names("auth", deny, allow)
	if access == AccessDenied && len(allow) > 0 {
		r.wrong("auth", "access is denied, but rules are listed that allow; leave access out, or take the rules out")
	}
	if access == AccessUnspecified {
		switch {
		case len(peers) > 0:
			access = AccessPeers
		case len(scopes) > 0 || len(allow) > 0:
			access = AccessAuthenticated
		}
	}
	result := Auth{Deny: deny, User: r.user(a.GetUser())}
	if len(allow) > 0 {
		result.Allow = []Value[[]Rule]{{allow, r.source}}
	}
	if access != AccessUnspecified {
		result.Access = Value[Access]{access, r.source}
	}
	if len(peers) > 0 {
		result.Peers = []Value[[]string]{{peers, r.source}}
	}
	if len(scopes) > 0 {
		result.Scopes = Value[[]string]{sortedSet(scopes), r.source}
	}
	if carrier != principal.CarrierUnspecified {
		result.Carrier = Value[principal.Carrier]{carrier, r.source}
	}
	if proof != ProofUnspecified {
		result.Proof = Value[Proof]{proof, r.source}
	}
	return result
}

// onTrial reports a trial of nothing, and of what cannot be tried.
func (r *reader) onTrial(a Auth) Auth {
	if a.Proof.Stated() {
		r.wrong("auth.proof",
			"a proof cannot be tried, because both ends must act on it; state it in another place, such as code, or take it out")
		a.Proof = Value[Proof]{}
	}
	if !a.Access.Stated() && !a.Carrier.Stated() && len(a.Deny) == 0 && !a.User.Stated() {
		r.wrong("auth.dry_run", "there is nothing else in this place that could be tried; state it here, or take dry_run out")
	}
	return a
}

func mergeAuth(a, b Auth) Auth {
	return Auth{
		Access:  largest(a.Access, b.Access),
		Peers:   bothLists(a.Peers, b.Peers),
		Scopes:  union(a.Scopes, b.Scopes),
		Carrier: largest(a.Carrier, b.Carrier),
		Proof:   largest(a.Proof, b.Proof),
		Deny:    everyRule(a.Deny, b.Deny),
		Allow:   everyRuleList(a.Allow, b.Allow),
		User: User{
			Presence: largest(a.User.Presence, b.User.Presence),
			Issuers:  intersection(a.User.Issuers, b.User.Issuers),
			Scopes:   union(a.User.Scopes, b.User.Scopes),
		},
		Guards: everyGuard(a.Guards, b.Guards),
	}
}

func (a Auth) settle() Auth {
	if a.Access.Value == AccessAnonymous && a.Carrier.Stated() {
		a.Access = Value[Access]{AccessAuthenticated, a.Carrier.Source}
	}
	if a.Access.Value == AccessAnonymous && a.Proof.Stated() {
		a.Access = Value[Access]{AccessAuthenticated, a.Proof.Source}
	}
	return a
}
