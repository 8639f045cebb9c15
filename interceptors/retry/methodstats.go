package retry

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/policy"
)

// methodStats are what was observed of a method beside its median latency. They are kept only for methods that need
// them, and a change of the policy does not reset them. A nil *methodStats has observed nothing.
type methodStats struct {
	p95, p99 quantile
	breaker  *breaker // nil for none
}

// statsOf returns the statistics of a method. Methods that no .proto describes share theirs, as they share their
// latency.
func (r *Retrier) statsOf(p policy.Method) *methodStats {
	name := p.Name
	if !p.Described {
		name = ""
	}
	if s, ok := r.stats.Load(name); ok {
		return s.(*methodStats)
	}
	fresh := &methodStats{}
	if r.settings.breaker != nil {
		fresh.breaker = newBreaker(*r.settings.breaker)
	}
	s, _ := r.stats.LoadOrStore(name, fresh)
	return s.(*methodStats)
}

// observeSuccess adds a successful attempt that took so long.
func (m *method) observeSuccess(took time.Duration) {
	m.observeAnswer(took)
	m.observeCompletion()
}

// observeAnswer adds how long an answer took. The answer of a stream is not yet its success.
func (m *method) observeAnswer(took time.Duration) {
	m.latency.observe(took)
	if m.stats != nil {
		m.stats.observeLatency(took)
	}
}

// observeCompletion adds the success of an attempt.
func (m *method) observeCompletion() {
	if m.stats != nil && m.stats.breaker != nil {
		m.stats.breaker.observe(time.Now(), false)
	}
}

func (s *methodStats) observeLatency(d time.Duration) {
	s.p95.observe(d, 0.95)
	s.p99.observe(d, 0.99)
}

// observeAbandoned adds an attempt that was abandoned after so long. It would have taken longer, and nothing says how
// much longer, so it counts only for the quantiles below that time. Without it, slow attempts would be missing.
func (s *methodStats) observeAbandoned(d time.Duration) {
	if s == nil {
		return
	}
	if p95, _ := s.p95.value(); d > p95 {
		s.p95.observe(d, 0.95)
	}
	if p99, _ := s.p99.value(); d > p99 {
		s.p99.observe(d, 0.99)
	}
}

// observeStatus adds the status of an attempt that its caller did not end.
func (s *methodStats) observeStatus(at time.Time, code codes.Code) {
	if s == nil || s.breaker == nil || code == codes.Canceled {
		return
	}
	s.breaker.observe(at, serviceFailures.has(code))
}

// serviceFailures are the codes that say that the service does not work. All others are answers of a service that does.
const serviceFailures codeSet = 1<<codes.Unavailable | 1<<codes.DeadlineExceeded | 1<<codes.ResourceExhausted |
	1<<codes.Internal | 1<<codes.Unknown | 1<<codes.DataLoss

// breakerOpen reports whether the breaker holds retries and hedges back.
func (s *methodStats) breakerOpen() bool {
	return s != nil && s.breaker != nil && s.breaker.open(time.Now())
}
