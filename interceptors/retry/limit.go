package retry

import (
	"context"
	"slices"
	"sync"
	"time"
)

// WithAdaptiveTimeout ends each attempt but the last after twice the time in which 99 of 100 attempts of its method
// succeed, at least 5ms, so that another attempt has time. It needs 100 attempts to know that time. A per-attempt
// timeout of the policy still holds if it is shorter. Like that one it ends an attempt only if another one may follow
// and the budget pays for it. By default only the policy's timeout holds.
func WithAdaptiveTimeout() Option {
	return option{"retry.WithAdaptiveTimeout()", func(c *config) { c.settings.adaptive = true }}
}

// attemptLimit is how long the attempt that begins now may take before it makes room for another one, or 0 if it has
// all the time that is left. Whether it is ended then is decided then, see [call.affords].
func (c *call) attemptLimit(ctx context.Context, now time.Time) time.Duration {
	limit := c.policy.perAttempt
	if c.policy.adaptive {
		if p99, ok := c.policy.facts.p99.value(); ok {
			adapted := max(2*p99, minAttempt)
			if limit == 0 || adapted < limit {
				limit = adapted
			}
		}
	}
	if limit == 0 || !c.hasSlack(now.Add(limit)) || c.refuses(ctx, &failure{cut: true}) != "" {
		return 0
	}
	return limit
}

// limit is the context of an attempt that has a per-attempt timeout. A context.WithDeadline does not do, because this
// timeout may be lifted: it does not hold for an attempt that nothing can follow, and that can change while the attempt
// is out. The server is told the deadline of the call alone.
type limit struct {
	context.Context // what the attempt would have without the timeout
	detach          func() bool
	timer           *time.Timer

	mu    sync.Mutex
	done  chan struct{}
	err   error
	cut   time.Time // when the timeout ended the attempt, zero if it did not
	after []*func()
}

// newLimit returns a context that asks after d whether it should end, on a goroutine of its own. Ask calls end or does
// not.
func newLimit(ctx context.Context, d time.Duration, ask func(*limit)) *limit {
	l := &limit{Context: ctx, done: make(chan struct{})}
	l.detach = func() bool { return true }
	if ctx.Done() != nil {
		l.detach = context.AfterFunc(ctx, func() { l.end(ctx.Err(), time.Time{}) })
	}
	l.timer = time.AfterFunc(d, func() { ask(l) })
	return l
}

func (l *limit) Done() <-chan struct{} { return l.done }

func (l *limit) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AfterFunc lets the context package derive contexts without a goroutine for each.
func (l *limit) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	l.after = append(l.after, &f)
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.Index(l.after, &f)
		if i < 0 {
			return false
		}
		l.after = slices.Delete(l.after, i, i+1)
		return true
	}
}

// end ends the context. Cut is the moment if the timeout does it. It reports whether the context had not ended before.
func (l *limit) end(err error, cut time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	l.err, l.cut = err, cut
	close(l.done)
	for _, f := range l.after {
		go (*f)()
	}
	l.after = nil
	return true
}

// finish ends the context because its attempt has ended, and returns when the timeout did that, if it did.
func (l *limit) finish() time.Time {
	if l == nil {
		return time.Time{}
	}
	l.timer.Stop()
	l.detach()
	l.end(context.Canceled, time.Time{})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}
