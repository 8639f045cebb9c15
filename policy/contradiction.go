package policy

import (
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
	limit, first := t.retry.MaxBackoff, t.retry.InitialBackoff
	if limit.Stated() && first.Stated() && limit.Value < first.Value {
		wrong(limit.Source, "retry.max_backoff",
			limit.Value.String()+" is shorter than retry.initial_backoff, "+first.Value.String()+
				" ("+first.Source.String()+"); raise it or lower the other")
	}
	errs = append(errs, neverAsked(t.auth, subject)...)
	errs = append(errs, neverAsked(t.trial, subject)...)
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
	const remedy = "nothing says that the method may be repeated, so it is never hedged; take hedging out, or state that it may be (idempotency_level in the .proto, or idempotency in code or a file)"
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
