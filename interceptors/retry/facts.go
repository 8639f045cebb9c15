package retry

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/policy"
)

// facts are what is known of a method beyond its median latency. They are kept only for methods that need them, and
// outlive changes of the policy. A nil *facts knows nothing.
type facts struct {
	p95, p99 quantile
	breaker  *breaker // nil for none
}

// factsOf finds the facts of a method. Methods that no .proto describes share theirs, as they share their latency.
func (r *Retrier) factsOf(p policy.Method) *facts {
	name := p.Name
	if !p.Described {
		name = ""
	}
	if f, ok := r.facts.Load(name); ok {
		return f.(*facts)
	}
	fresh := &facts{}
	if r.settings.breaker != nil {
		fresh.breaker = newBreaker(*r.settings.breaker)
	}
	f, _ := r.facts.LoadOrStore(name, fresh)
	return f.(*facts)
}

// succeeded takes in a successful attempt.
func (m *method) succeeded(took time.Duration) {
	m.responded(took)
	m.worked()
}

// responded takes in how long an answer took, which for a stream is not yet its success.
func (m *method) responded(took time.Duration) {
	m.latency.observe(took)
	if m.facts != nil {
		m.facts.took(took)
	}
}

// worked takes in the success of an attempt.
func (m *method) worked() {
	if m.facts != nil && m.facts.breaker != nil {
		m.facts.breaker.observe(time.Now(), false)
	}
}

func (f *facts) took(d time.Duration) {
	f.p95.observe(d, 0.95)
	f.p99.observe(d, 0.99)
}

// atLeast takes in an attempt that was abandoned. How long it would have taken is not known, only that it was longer,
// so it says nothing about estimates above that. Were it left out, the slow attempts would all be missing.
func (f *facts) atLeast(d time.Duration) {
	if f == nil {
		return
	}
	if p95, _ := f.p95.value(); d > p95 {
		f.p95.observe(d, 0.95)
	}
	if p99, _ := f.p99.value(); d > p99 {
		f.p99.observe(d, 0.99)
	}
}

// answered takes in the status of an attempt that its caller did not end.
func (f *facts) answered(at time.Time, code codes.Code) {
	if f == nil || f.breaker == nil || code == codes.Canceled {
		return
	}
	f.breaker.observe(at, unwell.has(code))
}

// unwell are the codes that speak against the service. All others are answers of a service that works.
const unwell codeSet = 1<<codes.Unavailable | 1<<codes.DeadlineExceeded | 1<<codes.ResourceExhausted |
	1<<codes.Internal | 1<<codes.Unknown | 1<<codes.DataLoss

// open reports whether the breaker holds retries and hedges back.
func (f *facts) open() bool { return f != nil && f.breaker != nil && f.breaker.open(time.Now()) }
