package policy

import (
	"time"
)

// terms is what one statement, or several of them merged, says about a method.
type terms struct {
	auth     Auth
	trial    Auth
	deadline Value[time.Duration]
	retry    Retry
	hedge    Hedge
	// Who may call where no other statement decides.
	otherwise Value[Access]
	// What a layer says where the .proto says nothing. It is not merged here, because the .proto decides whether it
	// counts.
	idempotency Value[Idempotency]
}

// merge returns terms that are at least as strict as both a and b. Where both are equally strict, the source of a
// stays.
func merge(a, b terms) terms {
	return terms{
		auth:     mergeAuth(a.auth, b.auth),
		trial:    mergeAuth(a.trial, b.trial),
		deadline: smallest(a.deadline, b.deadline),
		retry: Retry{
			MaxAttempts:       smallest(a.retry.MaxAttempts, b.retry.MaxAttempts),
			InitialBackoff:    largest(a.retry.InitialBackoff, b.retry.InitialBackoff),
			MaxBackoff:        largest(a.retry.MaxBackoff, b.retry.MaxBackoff),
			PerAttemptTimeout: smallest(a.retry.PerAttemptTimeout, b.retry.PerAttemptTimeout),
			Codes:             intersection(a.retry.Codes, b.retry.Codes),
		},
		hedge: Hedge{
			MaxHedges: smallest(a.hedge.MaxHedges, b.hedge.MaxHedges),
			Delay:     largest(a.hedge.Delay, b.hedge.Delay),
		},
		otherwise: largest(a.otherwise, b.otherwise),
	}
}

// settle resolves what only the merged terms show. It tightens, and settling twice changes nothing.
func (t terms) settle() terms {
	if !t.auth.Access.Stated() {
		t.auth.Access = t.otherwise
	}
	t.auth, t.trial = t.auth.settle(), t.trial.settle()
	if t.retry.MaxBackoff.Stated() {
		t.retry.MaxBackoff = largest(t.retry.MaxBackoff, t.retry.InitialBackoff)
	}
	return t
}
