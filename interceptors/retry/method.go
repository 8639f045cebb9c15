package retry

import (
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/backoff"
	"github.com/parley-rpc/parley/policy"
)

// method is the policy of one method as the retrier uses it.
type method struct {
	name           string
	label          string // for metrics: "other" where no .proto describes it
	deadline       policy.Value[time.Duration]
	attempts       int
	initialBackoff time.Duration
	maxBackoff     time.Duration
	perAttempt     time.Duration // 0 for none
	codes          codeSet
	repeatable     bool
	keyed          bool // the server deduplicates its calls by key
	latency        *latency

	hedges     int // at once, beside the first; 0 for none
	hedgeDelay policy.Value[time.Duration]
	adaptive   bool
	unguarded  bool
	stats      *methodStats // nil if nothing asks for them
}

// codeSet has one bit for each status code.
type codeSet uint32

func (s codeSet) has(c codes.Code) bool { return c < 32 && s&(1<<c) != 0 }

func setOf(list ...codes.Code) codeSet {
	var s codeSet
	for _, c := range list {
		s |= 1 << c
	}
	return s
}

// labelOf names a method in metrics. What callers make up must not make up series (gRFC A66).
func labelOf(p policy.Method) string {
	if !p.Described {
		return "other"
	}
	return strings.TrimPrefix(p.Name, "/")
}

// compile makes a method of its policy.
func (r *Retrier) compile(p policy.Method) (*method, error) {
	m := &method{
		name:           p.Name,
		label:          labelOf(p),
		deadline:       p.Deadline,
		attempts:       stated(p.Retry.MaxAttempts, defaultMaxAttempts),
		initialBackoff: stated(p.Retry.InitialBackoff, defaultInitialBackoff),
		perAttempt:     stated(p.Retry.PerAttemptTimeout, 0),
		codes:          setOf(codes.Unavailable, codes.ResourceExhausted),
		repeatable:     p.Idempotency.Value != policy.IdempotencyUnknown,
		keyed:          r.isKeyed(p),
		latency:        r.latencyOf(p),
	}
	// A first bound that was stated alone raises the cap, and a cap that was stated alone lowers the first bound.
	m.maxBackoff = stated(p.Retry.MaxBackoff, max(defaultMaxBackoff, m.initialBackoff))
	m.initialBackoff = min(m.initialBackoff, m.maxBackoff)
	if p.Retry.Codes.Stated() {
		m.codes = setOf(p.Retry.Codes.Value...)
	}
	for _, never := range []codes.Code{codes.Unauthenticated, codes.PermissionDenied} {
		if m.codes.has(never) {
			return nil, &policy.Mistake{
				Source: p.Retry.Codes.Source, Subject: p.Name, Field: "retry.codes",
				Problem: codeName(never) + " is never retried, because the answer would be the same; take it out",
			}
		}
	}
	return m, r.compileSettings(m, p)
}

func stated[T any](v policy.Value[T], otherwise T) T {
	if v.Stated() {
		return v.Value
	}
	return otherwise
}

// latencyOf finds the estimate of a method, which outlives changes of its policy. Methods that no .proto describes
// share one estimate: their names may come from outside, and would fill the memory.
func (r *Retrier) latencyOf(p policy.Method) *latency {
	if !p.Described {
		return &r.undescribed
	}
	l, _ := r.latencies.LoadOrStore(p.Name, new(latency))
	return l.(*latency)
}

// bound is the upper bound of wait n, counted from 1.
func (m *method) bound(n int) time.Duration {
	return backoff.Bound(m.initialBackoff, m.maxBackoff, n)
}

// typical is what a successful attempt takes.
func (m *method) typical() time.Duration { return max(minAttempt, m.latency.median()) }
