package file

import "time"

// WithWall replaces the clock of the system.
func WithWall(wall func() time.Time) Option {
	return option{"WithWall(...)", func(d *Driver) error {
		d.wall = wall
		return nil
	}}
}

// WithRandom replaces the source of jitter, so that tests know the exact times.
func WithRandom(random func() float64) Option {
	return option{"WithRandom(...)", func(d *Driver) error {
		d.random = random
		return nil
	}}
}
