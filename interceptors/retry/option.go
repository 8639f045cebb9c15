package retry

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

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
	deadline policy.Value[time.Duration]
	random   func() float64
	logger   *slog.Logger
	extras   extras
	keyed    []string
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithPolicy gives the policies of the called methods. The default is what the linked .proto files state,
// policy.FromProto.
func WithPolicy(t *policy.Table) Option {
	return option{"retry.WithPolicy(...)", func(c *config) { c.table = t }}
}

// WithBudget limits what retries may cost the called service. The default is [DefaultBudget].
func WithBudget(b Budget) Option {
	text := fmt.Sprintf("retry.WithBudget(ratio %v, max %v, min %v/s)", b.Ratio, b.Max, b.MinPerSecond)
	return option{text, func(c *config) { c.budget = b }}
}

// WithDefaultDeadline gives a deadline to each unary call for which neither the caller nor the method states one. It must
// be positive. The default is 10s.
func WithDefaultDeadline(d time.Duration) Option {
	source := policy.Source{Kind: policy.KindCode, Place: "retry.WithDefaultDeadline"}
	return option{fmt.Sprintf("retry.WithDefaultDeadline(%v)", d), func(c *config) {
		c.deadline = policy.Value[time.Duration]{Value: d, Source: source}
	}}
}

// WithRandom replaces the source of randomness for waits, so that tests know them. Random returns numbers in [0, 1) and
// must be safe for concurrent use. The default is rand.Float64 of math/rand/v2.
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
		errs = append(errs, fmt.Errorf("retry.WithDefaultDeadline: %v is not positive; every call needs a deadline", c.deadline.Value))
	}
	if err := c.extras.mend(); err != nil {
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
