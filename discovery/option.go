package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Option configures a [Registry]. Its String method returns the Go expression that made it. An invalid value leaves the
// default in place, and [Registry.Check] returns the mistake.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	ttl, hold, firstWait, linger time.Duration
	debounce, debounceMost       time.Duration
	backoff, backoffMost         time.Duration

	memory string
	logger *slog.Logger
	random func() float64
	err    error
}

type option struct {
	text string
	set  func(*config)
	bad  string
}

func (o option) String() string { return "discovery." + o.text }

func (o option) apply(c *config) {
	if o.bad != "" {
		c.err = errors.Join(c.err, fmt.Errorf("%s: %s", o, o.bad))
		return
	}
	o.set(c)
}

func configure(opts []Option) config {
	c := config{
		ttl: defaultTTL, hold: defaultHold, firstWait: defaultFirstWait, linger: defaultLinger,
		debounce: defaultDebounce, debounceMost: defaultDebounceMost,
		backoff: defaultBackoff, backoffMost: defaultBackoffMost,
		logger: slog.New(slog.DiscardHandler),
		random: rand.Float64,
	}
	for _, o := range opts {
		o.apply(&c)
	}
	return c
}

// unless returns wrong, or "" when ok is true.
func unless(ok bool, wrong string) string {
	if ok {
		return ""
	}
	return wrong
}

// WithTTL sets how long the engine shows an instance after its process has died. The default is 15s. It must be
// positive, and engines may round it up.
func WithTTL(ttl time.Duration) Option {
	return option{fmt.Sprintf("WithTTL(%v)", ttl), func(c *config) { c.ttl = ttl }, unless(ttl > 0, "want more than 0s")}
}

// WithDebounce sets how long changes of a service are collected before they are published together. The time is least
// at first, and doubles up to most while changes keep coming. The first list, and the first one after an empty list,
// are published at once. The defaults are 100ms and 800ms. Zero for both publishes every change.
func WithDebounce(least, most time.Duration) Option {
	return option{
		fmt.Sprintf("WithDebounce(%v, %v)", least, most),
		func(c *config) { c.debounce, c.debounceMost = least, most },
		unless(0 <= least && least <= most, "want 0s <= least <= most"),
	}
}

// WithHold sets how long instances are still used when they suddenly disappear from the engine's list. If the list
// becomes empty, all instances are held. If more instances vanish within a minute than remain, the vanished instances
// are held. Instances that drained, or that a new instance has replaced, are not held. The time passes only while the
// engine answers. The default is 5m. Zero accepts every list at once.
func WithHold(hold time.Duration) Option {
	return option{
		fmt.Sprintf("WithHold(%v)", hold),
		func(c *config) { c.hold = hold },
		unless(hold >= 0, "want 0s or more"),
	}
}

// WithLastKnownGood keeps the last good lists in a file. A program that starts while the engine is down uses the
// instances in the file until the engine answers. State.StaleSince is then the time at which the lists were written.
//
// The file has mode 0600 and is replaced as a whole, at most once a second and by [Registry.Close]. The file and the
// folders above it must belong to the user of the process or to root and must not be writable by others. A file that
// breaks these rules, is damaged, is larger than 16 MiB, or was written by another version or for another engine is not
// used. The reason is logged and is in [Registry.Snapshot], and the file is replaced by the next good list. Two
// processes must not share one file.
func WithLastKnownGood(path string) Option {
	return option{
		fmt.Sprintf("WithLastKnownGood(%q)", path),
		func(c *config) { c.memory = path },
		unless(path != "", "want the path of a file"),
	}
}

// WithFirstWait sets how long to wait for the first answer of the engine before [ErrSilent] is reported. The Registry
// keeps trying after that. The default is 3s. It must be positive.
func WithFirstWait(wait time.Duration) Option {
	return option{
		fmt.Sprintf("WithFirstWait(%v)", wait),
		func(c *config) { c.firstWait = wait },
		unless(wait > 0, "want more than 0s"),
	}
}

// WithLinger sets how long a service is followed after its last subscriber has left. It should be longer than the idle
// timeout of gRPC channels. The default is 1h. Zero ends the watch with its last subscriber.
func WithLinger(linger time.Duration) Option {
	return option{
		fmt.Sprintf("WithLinger(%v)", linger),
		func(c *config) { c.linger = linger },
		unless(linger >= 0, "want 0s or more"),
	}
}

// WithBackoff sets the waits between attempts to reach the engine. Each wait is random between zero and a bound. The
// bound starts at base and doubles up to most. The defaults are 200ms and 4s. Base must be positive.
func WithBackoff(base, most time.Duration) Option {
	return option{
		fmt.Sprintf("WithBackoff(%v, %v)", base, most),
		func(c *config) { c.backoff, c.backoffMost = base, most },
		unless(0 < base && base <= most, "want 0s < base <= most"),
	}
}

// WithLogger sets the logger for changes of state: the engine fails or is back, a list is held, a registration is lost.
// The default logs nothing.
func WithLogger(logger *slog.Logger) Option {
	return option{"WithLogger(...)", func(c *config) { c.logger = logger }, unless(logger != nil, "want a logger")}
}
