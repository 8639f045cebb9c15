package policy

import (
	"google.golang.org/grpc/codes"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// read returns what p states. Fields that are wrong are left out of the terms and reported.
func read(p *policyv1.Policy, source Source, subject string) (terms, []error) {
	r := &reader{source: source, subject: subject}
	if p == nil {
		r.wrong("", "the policy is nil; state something or take the entry out")
		return terms{}, r.mistakes
	}
	for _, list := range emptyLists(p) {
		r.wrong(list, "the list is empty, which would mean the same as no list; state its values, or leave it out (nil)")
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
		t.retry.MaxAttempts = r.count("retry.max_attempts", retry.GetMaxAttempts(), 1, maxAttemptsLimit,
			"1 switches retries off")
	}
	if hedge != nil && hedge.MaxHedges != nil {
		t.hedge.MaxHedges = r.count("hedge.max_hedges", hedge.GetMaxHedges(), 0, maxHedgesLimit, "0 switches hedging off")
	}
	return t, append(r.mistakes, contradictions(t, subject)...)
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
