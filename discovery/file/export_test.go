package file

// WithRandom replaces the source of jitter, so that tests know the exact times.
func WithRandom(random func() float64) Option {
	return option{"WithRandom(...)", func(d *Driver) error {
		d.random = random
		return nil
	}}
}
