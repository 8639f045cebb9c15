package file

import (
	"errors"
	"fmt"
	"time"
)

// Option configures a [Driver]. Its String method returns the Go expression that made it.
type Option interface {
	fmt.Stringer
	apply(*Driver) error
}

type option struct {
	text string
	set  func(*Driver) error
}

func (o option) String() string { return "file." + o.text }

func (o option) apply(d *Driver) error {
	if err := o.set(d); err != nil {
		return fmt.Errorf("%s: %w", o, err)
	}
	return nil
}

// WithInterval sets the time between two checks of the folder for changes. The default is 250ms. It must be positive.
func WithInterval(interval time.Duration) Option {
	return option{fmt.Sprintf("WithInterval(%v)", interval), func(d *Driver) error {
		if interval <= 0 {
			return errors.New("want more than 0s")
		}
		d.interval = interval
		return nil
	}}
}
