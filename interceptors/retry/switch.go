package retry

import "sync/atomic"

// Switch turns the retries and hedges of all Retriers off that share it, or on again: one knob for the operator of a
// program in trouble. Calls then have one attempt, and those that would have had another end with the reason
// switched_off. Deadlines hold as before. It takes effect at once. The zero Switch is on. It is safe for concurrent use.
type Switch struct{ off atomic.Bool }

// Set switches retries and hedges on or off.
func (s *Switch) Set(on bool) { s.off.Store(!on) }

// On tells whether retries and hedges are switched on.
func (s *Switch) On() bool { return !s.off.Load() }

// WithSwitch makes the Retrier obey a switch that it may share with others. By default it has one of its own.
func WithSwitch(s *Switch) Option {
	return option{"retry.WithSwitch(...)", func(c *config) {
		if s != nil {
			c.extras.onOff = s
		}
	}}
}

// SetRetries sets the [Switch] of the Retrier, and so of all that share it.
func (r *Retrier) SetRetries(on bool) { r.extras.onOff.Set(on) }

// Retries tells whether retries and hedges are switched on.
func (r *Retrier) Retries() bool { return r.extras.onOff.On() }
