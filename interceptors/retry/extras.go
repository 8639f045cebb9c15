package retry

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/policy"
)

// extras are the options beyond plain retries.
type extras struct {
	endpoints func() int // nil if nobody knows
	adaptive  bool
	breaker   *Breaker // nil for none
	unguarded []string
	guardOff  bool
	nativeOff bool // on all channels

	memory      *ReplayMemory
	replayLimit int
	onOff       *Switch
}

func (e *extras) mend() error {
	errs := []error{e.mendReplay()}
	if e.breaker != nil {
		if err := e.breaker.check(); err != nil {
			errs = append(errs, err)
			e.breaker = nil
		}
	}
	return errors.Join(errs...)
}

// compileExtras adds to m what is beyond plain retries.
func (r *Retrier) compileExtras(m *method, p policy.Method) error {
	m.unguarded = r.extras.unguards(p.Name)
	// To cut an attempt short whose method cannot be repeated would only make its call fail.
	m.adaptive = r.extras.adaptive && m.repeatable && m.attempts > 1
	err := compileHedge(m, p)
	if m.adaptive || r.extras.breaker != nil || m.hedges > 0 && !m.hedgeDelay.Stated() {
		m.facts = r.factsOf(p)
	}
	return err
}

// barred tells why there would be no other attempt, whatever became of this one.
func (c *call) barred(ctx context.Context) StopReason {
	switch {
	case !c.retrier.Retries():
		return StopSwitchedOff
	case !c.policy.unguarded && repeated(ctx):
		return StopUpstreamRetrying
	case c.policy.facts.open():
		return StopCircuitOpen
	default:
		return ""
	}
}
