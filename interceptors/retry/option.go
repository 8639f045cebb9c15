package retry

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/policy"
)

// Option is an option of [New].
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	table    *policy.Table
	budget   Budget
	given    bool // that the budget was stated
	deadline policy.Value[time.Duration]
	random   func() float64
	logger   *slog.Logger
	settings settings
	keyed    []string
	lender   *Retrier // whose budget is shared, nil for none
	meters   metric.MeterProvider
	target   string
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithPolicy gives the policies of the called methods. The default is policy.FromProto, the policies of the linked
// .proto files.
func WithPolicy(t *policy.Table) Option {
	return option{"retry.WithPolicy(...)", func(c *config) { c.table = t }}
}

// WithBudget limits the load of retries on the called service. The default is [DefaultBudget].
func WithBudget(b Budget) Option {
	text := fmt.Sprintf("retry.WithBudget(ratio %v, max %v, min %v/s)", b.Ratio, b.Max, b.MinPerSecond)
	return option{text, func(c *config) { c.budget, c.given = b, true }}
}

// WithBudgetRatio sets the Ratio of the budget: that of the default budget, and that of an earlier [WithBudget] if it
// is larger. It is for a ratio that is stated apart from the rest of a budget.
func WithBudgetRatio(ratio float64) Option {
	return option{fmt.Sprintf("retry.WithBudgetRatio(%v)", ratio), func(c *config) {
		if !c.given || ratio < c.budget.Ratio {
			c.budget.Ratio = ratio
		}
	}}
}

// WithBudgetOf shares the budget of another Retrier for the same service, so that the load of a program's retries does
// not grow with the number of its channels. It replaces WithBudget. The default is a budget of its own.
func WithBudgetOf(other *Retrier) Option {
	return option{"retry.WithBudgetOf(...)", func(c *config) { c.lender = other }}
}

// WithMeterProvider measures the budget and the calls with instruments of p, and says that they belong to target (the
// attribute grpc.target):
//
//	parley.client.retry.budget.available   what the budget would pay for now
//	parley.client.retry.budget.spent       the retries and hedges that it has paid for
//	parley.client.retry.budget.refused     those that it has refused
//	parley.client.retry.suppressed         the calls that failed for a reason of the retrier's (the attribute reason):
//	                                       budget, deadline, pushback, not_idempotent, upstream_is_retrying,
//	                                       circuit_open, switched_off
//	grpc.client.call.retries               the retries of each call that had any (gRFC A96)
//	grpc.client.call.hedges                its hedges
//	grpc.client.call.retry_delay           the time that it waited between attempts
//
// The first four are observed at each collection, and a call with one attempt pays nothing for the others. Of Retriers
// that share a budget, give it to one; it measures the calls of all.
// By default nothing is measured.
func WithMeterProvider(p metric.MeterProvider, target string) Option {
	return option{
		fmt.Sprintf("retry.WithMeterProvider(%T, %q)", p, target),
		func(c *config) { c.meters, c.target = p, target },
	}
}

// WithDefaultDeadline sets the deadline of unary calls for which neither the caller nor the method states one. It must
// be positive. The default is 10s.
func WithDefaultDeadline(d time.Duration) Option {
	source := policy.Source{Kind: policy.KindCode, Place: "retry.WithDefaultDeadline"}
	return option{fmt.Sprintf("retry.WithDefaultDeadline(%v)", d), func(c *config) {
		c.deadline = policy.Value[time.Duration]{Value: d, Source: source}
	}}
}

// WithNativeRetryOff says that the channels of the Retrier are dialled with grpc.WithDisableRetry, as
// [Retrier.DialOptions] does by itself. A retry policy in a service config is then ignored. By default the calls that
// have one are left to gRPC, so that two do not multiply.
func WithNativeRetryOff() Option {
	return option{"retry.WithNativeRetryOff()", func(c *config) { c.settings.nativeOff = true }}
}

// WithRandom replaces the source of random numbers for waits, so that the tests of a program know how long it waits,
// and a simulation can be repeated. Random returns numbers in [0, 1) and must be safe for concurrent use. The default
// is rand.Float64 of math/rand/v2.
func WithRandom(random func() float64) Option {
	return option{"retry.WithRandom(...)", func(c *config) { c.random = random }}
}

// WithLogger takes the one message that a Retrier may have: that a service config retries natively too. By default
// nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return option{"retry.WithLogger(...)", func(c *config) { c.logger = logger }}
}

func newConfig(opts []Option) *config {
	c := &config{
		table:    policy.FromProto(),
		budget:   DefaultBudget(),
		deadline: policy.Value[time.Duration]{Value: defaultDeadline, Source: policy.Source{Kind: policy.KindDefault}},
		random:   rand.Float64,
		logger:   slog.New(slog.DiscardHandler),
		settings: settings{memory: DefaultReplayMemory(), replayLimit: defaultReplayLimit, onOff: new(Switch)},
	}
	for _, o := range opts {
		o.apply(c)
	}
	return c
}

// mend replaces what cannot be used by the default, so that a Retrier that was made wrongly can still refuse calls, and
// returns what was wrong.
func (c *config) mend() error {
	var errs []error
	if c.table == nil {
		errs = append(errs, errors.New("retry.WithPolicy: the table is nil; leave the option out to use policy.FromProto()"))
		c.table = policy.FromProto()
	}
	if err := c.budget.check(); err != nil {
		errs = append(errs, err)
		c.budget = DefaultBudget()
	}
	if c.deadline.Value <= 0 {
		errs = append(
			errs,
			fmt.Errorf("retry.WithDefaultDeadline: %v is not positive; every call needs a deadline", c.deadline.Value),
		)
	}
	if err := c.settings.mend(); err != nil {
		errs = append(errs, err)
	}
	if c.random == nil {
		errs = append(errs, errors.New("retry.WithRandom: the function is nil; leave the option out to use rand.Float64"))
	}
	if c.logger == nil {
		errs = append(errs, errors.New("retry.WithLogger: the logger is nil; leave the option out to log nothing"))
		c.logger = slog.New(slog.DiscardHandler)
	}
	errs = append(errs, c.checkKeyed())
	return errors.Join(errs...)
}

// settings are the options as a Retrier keeps them.
type settings struct {
	endpoints func() int // nil if that is not known
	adaptive  bool
	breaker   *Breaker // nil for none
	unguarded []string
	guardOff  bool
	nativeOff bool // on all channels

	memory      *ReplayMemory
	replayLimit int
	onOff       *Switch
}

func (e *settings) mend() error {
	errs := []error{e.mendReplay()}
	if e.breaker != nil {
		if err := e.breaker.check(); err != nil {
			errs = append(errs, err)
			e.breaker = nil
		}
	}
	return errors.Join(errs...)
}

// compileSettings adds to m what the settings of the Retrier say.
func (r *Retrier) compileSettings(m *method, p policy.Method) error {
	m.unguarded = r.settings.unguards(p.Name)
	m.adaptive = r.settings.adaptive && m.attempts > 1
	err := compileHedge(m, p)
	if m.adaptive || r.settings.breaker != nil || m.hedges > 0 && !m.hedgeDelay.Stated() {
		m.stats = r.statsOf(p)
	}
	return err
}

// Switch turns the retries and hedges of all Retriers off that share it, or on again: one knob for the operator of a
// program in trouble. Calls then have one attempt, and those that would have had another end with the reason
// switched_off. Deadlines hold as before. It takes effect at once. The zero Switch is on. It is safe for concurrent
// use.
type Switch struct{ off atomic.Bool }

// Set switches retries and hedges on or off.
func (s *Switch) Set(on bool) { s.off.Store(!on) }

// On reports whether retries and hedges are switched on.
func (s *Switch) On() bool { return !s.off.Load() }

// WithSwitch makes the Retrier obey a switch that it may share with others. By default it has one of its own.
func WithSwitch(s *Switch) Option {
	return option{"retry.WithSwitch(...)", func(c *config) {
		if s != nil {
			c.settings.onOff = s
		}
	}}
}

// SetRetries sets the [Switch] of the Retrier, and so of all that share it.
func (r *Retrier) SetRetries(on bool) { r.settings.onOff.Set(on) }

// Retries reports whether retries and hedges are switched on.
func (r *Retrier) Retries() bool { return r.settings.onOff.On() }
