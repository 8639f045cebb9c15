package policy

import (
	"slices"
	"strconv"
	"time"
)

// together says what a layer states about a service and about one of its methods that cannot hold together, although
// each statement can hold alone. Statements of different layers are not compared: where layers meet, the stricter one
// holds, so that an operator can always shorten a deadline.
func together(service, method, both terms, subject string) []error {
	if len(contradictions(service, subject)) > 0 || len(contradictions(method, subject)) > 0 {
		return nil // reported for the statement itself
	}
	return contradictions(both, subject)
}

// contradictions says what cannot hold together in terms about subject.
func contradictions(t terms, subject string) []error {
	var errs []error
	wrong := func(source Source, field, problem string) {
		errs = append(errs, &Mistake{Source: source, Subject: subject, Field: field, Problem: problem})
	}
	if limit, first := t.retry.MaxBackoff, t.retry.InitialBackoff; limit.Stated() && first.Stated() && limit.Value < first.Value {
		wrong(limit.Source, "retry.max_backoff", limit.Value.String()+" is shorter than retry.initial_backoff, "+first.Value.String()+
			" ("+first.Source.String()+"); raise it or lower the other")
	}
	for _, dead := range slices.Concat(deadRules(t.auth), deadRules(t.trial)) {
		wrong(dead.Source, "auth", dead.place()+" can never hold, because auth.user.issuers accepts none of the issuers that it names; mend one of the two")
	}
	if !t.deadline.Stated() {
		return errs
	}
	deadline := "the deadline, " + t.deadline.Value.String() + " (" + t.deadline.Source.String() + ")"
	if attempt := t.retry.PerAttemptTimeout; attempt.Stated() && attempt.Value > t.deadline.Value {
		wrong(attempt.Source, "retry.per_attempt_timeout", attempt.Value.String()+" is longer than "+deadline+
			", so no attempt could follow one that timed out; lower it or leave it out")
	} else if n := t.retry.MaxAttempts; n.Stated() && attempt.Stated() && time.Duration(n.Value)*attempt.Value > t.deadline.Value {
		wrong(n.Source, "retry.max_attempts", strconv.Itoa(n.Value)+" attempts of up to "+attempt.Value.String()+
			" (retry.per_attempt_timeout, "+attempt.Source.String()+") do not fit into "+deadline+"; lower one of the two, or raise the deadline")
	}
	if delay := t.hedge.Delay; delay.Stated() && delay.Value >= t.deadline.Value {
		wrong(delay.Source, "hedge.delay", delay.Value.String()+" is not shorter than "+deadline+
			", so no hedge could ever start; lower it or leave hedging out")
	}
	return errs
}

// unhedgeable says that a statement about a method itself wants hedges of it, although nothing says that the method may
// be repeated.
func unhedgeable(t terms, m Method) []error {
	const remedy = "nothing says that the method may be repeated, so it is never hedged; take hedging out, or state that it may be (idempotency_level in the .proto)"
	field, source := "hedge.max_hedges", t.hedge.MaxHedges.Source
	switch {
	case m.Idempotency.Value != IdempotencyUnknown:
		return nil
	case t.hedge.MaxHedges.Value > 0:
	case t.hedge.Delay.Stated() && !t.hedge.MaxHedges.Stated():
		field, source = "hedge.delay", t.hedge.Delay.Source
	default:
		return nil
	}
	return []error{&Mistake{Source: source, Subject: m.Name, Field: field, Problem: remedy}}
}

// deadRules are the rules about users whom the method does not accept.
func deadRules(a Auth) []Rule {
	if !a.User.Issuers.Stated() {
		return nil
	}
	var dead []Rule
	for _, rule := range a.Deny {
		if rule.beyond(a.User.Issuers.Value) {
			dead = append(dead, rule)
		}
	}
	for _, list := range a.Allow {
		for _, rule := range list.Value {
			if rule.beyond(a.User.Issuers.Value) {
				dead = append(dead, rule)
			}
		}
	}
	return dead
}

// beyond tells whether the rule is about users for whom none of the issuers vouches.
func (r Rule) beyond(issuers []string) bool {
	if r.User == nil || len(r.User.Issuers) == 0 {
		return false
	}
	return !slices.ContainsFunc(r.User.Issuers, func(issuer string) bool { return slices.Contains(issuers, issuer) })
}

// unsatisfiable says what the merged terms of all layers demand that no caller could fulfil.
func unsatisfiable(t terms, subject string) []error {
	return append(t.auth.unsatisfiable(subject), t.trial.unsatisfiable(subject)...)
}

func (a Auth) unsatisfiable(subject string) []error {
	var errs []error
	wrong := func(source Source, field, problem string) {
		errs = append(errs, &Mistake{Source: source, Subject: subject, Field: field, Problem: problem})
	}
	if a.Access.Value == AccessPeers && len(a.Peers) == 0 {
		wrong(a.Access.Source, "auth.access", "access is peers, but no peers are listed anywhere, so nobody could call; list peers, or say denied")
	}
	issuers := a.User.Issuers
	if !issuers.Stated() {
		return errs
	}
	if len(issuers.Value) == 0 {
		wrong(issuers.Source, "auth.user.issuers", "no issuer is listed in all of these places, so no user could call; list a common one")
		return errs
	}
	for _, list := range a.Allow {
		if !slices.ContainsFunc(list.Value, func(rule Rule) bool { return !rule.beyond(issuers.Value) }) {
			wrong(list.Source, "auth.allow", "every rule is about users of issuers that auth.user.issuers ("+issuers.Source.String()+
				") does not accept, so nobody could call; mend one of the two")
		}
	}
	return errs
}
