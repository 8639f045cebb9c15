package grpcbalancer

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/resolver"
)

// Census knows how the endpoints of one channel stand, and logs when one of them begins to rest as an outlier, when that
// is over, and when the channel begins or ceases to use a subset. Make one for each channel with [NewCensus]. Its methods
// may be called from any goroutine.
type Census struct {
	logger  *slog.Logger
	outlet  atomic.Pointer[outlet] // nil until the policy has heard of it
	divided bool                   // the channel connects to a subset; for the policy alone
}

// NewCensus returns the census of one channel. The logger must not be nil.
func NewCensus(logger *slog.Logger) *Census { return &Census{logger: logger} }

// Resolver returns b with the census in what it resolves, which is how the channel's policy learns of it. Give it to the
// channel with grpc.WithResolvers, in place of b.
func (c *Census) Resolver(b resolver.Builder) resolver.Builder { return censusBuilder{b, c} }

// Endpoints are those that a channel connects to, by what they are good for.
type Endpoints struct {
	// Usable ones take calls.
	Usable int
	// Resting ones are outliers: they failed far more than the others.
	Resting int
	// Paused ones are well, and asked for a pause.
	Paused int
	// Unready ones are not connected, or say that they do not serve.
	Unready int
}

// String lists those states that there are: "18 usable, 1 resting, 1 unready".
func (e Endpoints) String() string {
	var text string
	for _, state := range []struct {
		n    int
		name string
	}{{e.Usable, "usable"}, {e.Resting, "resting"}, {e.Paused, "paused"}, {e.Unready, "unready"}} {
		switch {
		case state.n == 0:
		case text == "":
			text = fmt.Sprintf("%d %s", state.n, state.name)
		default:
			text += fmt.Sprintf(", %d %s", state.n, state.name)
		}
	}
	return text
}

// Endpoints counts them as they are now; while the channel is idle there are none. It returns false for a channel that has
// resolved nothing yet, or has another policy.
func (c *Census) Endpoints() (n Endpoints, ok bool) {
	o := c.outlet.Load()
	if o == nil {
		return n, false
	}
	o.membersMu.Lock()
	defer o.membersMu.Unlock()
	now := time.Since(o.made)
	for e := range o.members {
		switch {
		case !e.usable.Load():
			n.Unready++
		case e.ejection.until > now:
			n.Resting++
		case e.resting.Load() > int64(now):
			n.Paused++
		default:
			n.Usable++
		}
	}
	return n, true
}

// The methods below are those of the policy, which has no census (nil) unless the resolver brings one.

func (c *Census) watch(o *outlet) {
	if c != nil {
		c.outlet.Store(o)
	}
}

func (c *Census) ejected(endpoint string, rest time.Duration, calls, failures int64) {
	if c != nil {
		c.logger.Warn("an outlier rests: it fails far more than the other instances", slog.String("endpoint", endpoint),
			slog.Duration("rest", rest), slog.Int64("calls", calls), slog.Int64("failures", failures))
	}
}

func (c *Census) returned(endpoint string) {
	if c != nil {
		c.logger.Info("an outlier has rested and may take calls again", slog.String("endpoint", endpoint))
	}
}

func (c *Census) divide(s *subset, instances int) {
	if c == nil || c.divided == s.divides(instances) {
		return
	}
	if c.divided = !c.divided; c.divided {
		c.logger.Info("the service is large; the channel connects to a subset", slog.Int("subset", int(s.size)), slog.Int("instances", instances))
	} else {
		c.logger.Info("the channel connects to every instance again", slog.Int("instances", instances))
	}
}

type censusKey struct{}

type censusBuilder struct {
	resolver.Builder

	census *Census
}

func (b censusBuilder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	return b.Builder.Build(target, censusChannel{cc, b.census}, opts)
}

type censusChannel struct {
	resolver.ClientConn

	census *Census
}

func (c censusChannel) UpdateState(s resolver.State) error {
	s.Attributes = s.Attributes.WithValue(censusKey{}, c.census)
	return c.ClientConn.UpdateState(s)
}
