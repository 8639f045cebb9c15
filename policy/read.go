package policy

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/principal"
)

// reader turns one statement in the schema into terms and collects what is wrong with it.
type reader struct {
	source   Source
	subject  string
	mistakes []error
}

// read returns what p states. Fields that are wrong are left out of the terms and reported.
func read(p *policyv1.Policy, source Source, subject string) (terms, []error) {
	r := &reader{source: source, subject: subject}
	if p == nil {
		r.wrong("", "the policy is nil; state something or take the entry out")
		return terms{}, r.mistakes
	}
	retry, hedge := p.GetRetry(), p.GetHedge()
	t := terms{
		deadline: r.positive("deadline.max", p.GetDeadline().GetMax()),
		retry: Retry{
			InitialBackoff:    r.positive("retry.initial_backoff", retry.GetInitialBackoff()),
			MaxBackoff:        r.positive("retry.max_backoff", retry.GetMaxBackoff()),
			PerAttemptTimeout: r.positive("retry.per_attempt_timeout", retry.GetPerAttemptTimeout()),
			Codes:             r.codes(retry.GetCodes()),
		},
		hedge:       Hedge{Delay: r.duration("hedge.delay", hedge.GetDelay(), 0)},
		idempotency: r.idempotency(p.GetIdempotency()),
	}
	if auth := r.auth(p.GetAuth()); p.GetAuth().GetDryRun() {
		t.trial = r.onTrial(auth)
	} else {
		t.auth = auth
	}
	if retry != nil && retry.MaxAttempts != nil {
		t.retry.MaxAttempts = r.count("retry.max_attempts", retry.GetMaxAttempts(), 1, maxAttemptsLimit, "1 switches retries off")
	}
	if hedge != nil && hedge.MaxHedges != nil {
		t.hedge.MaxHedges = r.count("hedge.max_hedges", hedge.GetMaxHedges(), 0, maxHedgesLimit, "0 switches hedging off")
	}
	return t, append(r.mistakes, contradictions(t, subject)...)
}

func (r *reader) wrong(field, format string, args ...any) {
	r.mistakes = append(r.mistakes, &Mistake{Source: r.source, Subject: r.subject, Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (r *reader) auth(a *policyv1.Auth) Auth {
	access, carrier, proof := r.access(a.GetAccess()), r.carrier(a.GetCarrier()), r.proof(a.GetProof())
	peers := r.words("auth.peers", a.GetPeers())
	scopes := r.words("auth.scopes", a.GetScopes())
	if access == AccessAnonymous || access == AccessAuthenticated {
		if len(peers) > 0 {
			r.wrong("auth", "access is %s, which asks for no peer, but peers are listed; leave access out, or take the peers out", access)
			access = AccessPeers
		}
	}
	if access == AccessAnonymous {
		if len(scopes) > 0 {
			r.wrong("auth", "access is anonymous, but scopes are listed, which only a proven caller carries; leave access out, or take the scopes out")
		}
		if carrier != principal.CarrierUnspecified {
			r.wrong("auth", "access is anonymous, but a carrier of the caller's proof is stated; leave access out, or take the carrier out")
		}
		if proof != ProofUnspecified {
			r.wrong("auth", "access is anonymous, but a proof is stated, which an anonymous caller neither gives nor gets; leave access out, or take the proof out")
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
		r.wrong("auth.proof", "a proof cannot be tried, because both ends must act on it; state it in another place, such as code, or take it out")
		a.Proof = Value[Proof]{}
	}
	if !a.Access.Stated() && !a.Carrier.Stated() && len(a.Deny) == 0 && !a.User.Stated() {
		r.wrong("auth.dry_run", "there is nothing else in this place that could be tried; state it here, or take dry_run out")
	}
	return a
}

func (r *reader) access(a policyv1.Access) Access {
	switch a {
	case policyv1.Access_ACCESS_UNSPECIFIED:
		return AccessUnspecified
	case policyv1.Access_ACCESS_ANONYMOUS:
		return AccessAnonymous
	case policyv1.Access_ACCESS_AUTHENTICATED:
		return AccessAuthenticated
	case policyv1.Access_ACCESS_PEERS:
		return AccessPeers
	case policyv1.Access_ACCESS_DENIED:
		return AccessDenied
	default:
		r.wrong("auth.access", "%d is no level of access; nobody may call until it is mended", int32(a))
		return AccessDenied
	}
}

func (r *reader) carrier(c policyv1.Carrier) principal.Carrier {
	switch c {
	case policyv1.Carrier_CARRIER_UNSPECIFIED:
		return principal.CarrierUnspecified
	case policyv1.Carrier_CARRIER_TOKEN:
		return principal.CarrierToken
	case policyv1.Carrier_CARRIER_CONNECTION:
		return principal.CarrierConnection
	default:
		r.wrong("auth.carrier", "%d is no carrier; say CARRIER_TOKEN or CARRIER_CONNECTION, or leave it out", int32(c))
		return principal.CarrierConnection
	}
}

func (r *reader) proof(p policyv1.Proof) Proof {
	switch p {
	case policyv1.Proof_PROOF_UNSPECIFIED:
		return ProofUnspecified
	case policyv1.Proof_PROOF_SESSION:
		return ProofSession
	case policyv1.Proof_PROOF_CALL:
		return ProofCall
	case policyv1.Proof_PROOF_WPT:
		return ProofWPT
	default:
		r.wrong("auth.proof", "%d is no level of proof; say PROOF_SESSION, PROOF_CALL or PROOF_WPT, or leave it out", int32(p))
		return ProofWPT
	}
}

// scopes reads a set of scopes.
func (r *reader) scopes(field string, stated []string) []string {
	return sortedSet(r.words(field, stated))
}

// words copies a list of strings, none of which may be empty.
func (r *reader) words(field string, values []string) []string {
	if slices.Contains(values, "") {
		r.wrong(field, "an entry is empty; take it out or write what was meant")
	}
	return slices.Clone(values)
}

func (r *reader) codes(names []string) Value[[]codes.Code] {
	if len(names) == 0 {
		return Value[[]codes.Code]{}
	}
	read := make([]codes.Code, 0, len(names))
	for _, name := range names {
		code, problem := readCode(name)
		if problem != "" {
			r.wrong("retry.codes", "%s", problem)
			continue
		}
		read = append(read, code)
	}
	return Value[[]codes.Code]{sortedSet(read), r.source}
}

func (r *reader) count(field string, n uint32, least, most int, hint string) Value[int] {
	if int64(n) < int64(least) || int64(n) > int64(most) {
		r.wrong(field, "%d is out of range; it must be %d to %d (%s)", n, least, most, hint)
		return Value[int]{}
	}
	return Value[int]{int(n), r.source}
}

// positive reads a duration that must be longer than nothing.
func (r *reader) positive(field string, d *durationpb.Duration) Value[time.Duration] {
	return r.duration(field, d, 1)
}

func (r *reader) duration(field string, d *durationpb.Duration, least time.Duration) Value[time.Duration] {
	if d == nil {
		return Value[time.Duration]{}
	}
	value := d.AsDuration()
	switch {
	case d.CheckValid() != nil || durationpb.New(value).GetSeconds() != d.GetSeconds():
		r.wrong(field, "%ds and %dns is no valid duration; write one like 250ms", d.GetSeconds(), d.GetNanos())
	case value < 0:
		r.wrong(field, "%v is negative; write a time like 250ms, or leave it out", value)
	case value < least:
		r.wrong(field, "it is 0; write a time like 250ms, or leave it out")
	default:
		return Value[time.Duration]{value, r.source}
	}
	return Value[time.Duration]{}
}

func quote(s string) string { return strconv.Quote(s) }
