package grpcbalancer

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/resolver"
)

// EndpointStates counts the endpoints of one channel by state. It logs when an endpoint starts and stops resting, and
// when the channel starts and stops using a subset. Make one for each channel with [NewEndpointStates]. Its methods may
// be called from any goroutine.
type EndpointStates struct {
	logger   *slog.Logger
	channel  atomic.Pointer[channel] // nil until the policy has received the first list
	isSubset bool                    // the channel connects to a subset; only the policy reads and writes it
}

// NewEndpointStates returns the states of one channel. The logger must not be nil.
func NewEndpointStates(logger *slog.Logger) *EndpointStates { return &EndpointStates{logger: logger} }

// Resolver returns a builder that wraps b and passes s to the channel's policy. Pass it to the channel with
// grpc.WithResolvers, in place of b.
func (s *EndpointStates) Resolver(b resolver.Builder) resolver.Builder { return statesBuilder{b, s} }

// EndpointCounts is the number of endpoints in each state, of the endpoints that a channel connects to.
type EndpointCounts struct {
	// Usable endpoints accept calls.
	Usable int
	// Resting endpoints are silent, or they are outliers, which failed far more than the others.
	Resting int
	// Paused endpoints are healthy and sent a pushback.
	Paused int
	// Unready endpoints are not connected, or report that they do not serve.
	Unready int
}

// String lists the counts that are not 0: "18 usable, 1 resting, 1 unready".
func (c EndpointCounts) String() string {
	var text string
	for _, state := range []struct {
		n    int
		name string
	}{{c.Usable, "usable"}, {c.Resting, "resting"}, {c.Paused, "paused"}, {c.Unready, "unready"}} {
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

// Count returns the present counts, which are 0 while the channel is idle. It returns false if the channel has not
// resolved its target yet or uses another policy.
func (s *EndpointStates) Count() (n EndpointCounts, ok bool) {
	c := s.channel.Load()
	if c == nil {
		return n, false
	}
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	now := time.Since(c.made)
	for e := range c.members {
		switch {
		case !e.usable.Load():
			n.Unready++
		case e.silent.Load(), e.ejection.until > now:
			n.Resting++
		case e.resting.Load() > int64(now):
			n.Paused++
		default:
			n.Usable++
		}
	}
	return n, true
}

// The policy calls the methods below. They accept nil, because the policy has EndpointStates only if the resolver
// passes them.

func (s *EndpointStates) follow(c *channel) {
	if s != nil {
		s.channel.Store(c)
	}
}

func (s *EndpointStates) ejected(endpoint string, rest time.Duration, calls, failures int64) {
	if s != nil {
		s.logger.Warn("an outlier rests, because it fails far more than the other instances",
			slog.String("endpoint", endpoint),
			slog.Duration("rest", rest), slog.Int64("calls", calls), slog.Int64("failures", failures))
	}
}

func (s *EndpointStates) recalled(endpoint string) {
	if s != nil {
		s.logger.Info("an outlier returns early, because another instance fails and no more instances may rest",
			slog.String("endpoint", endpoint))
	}
}

func (s *EndpointStates) silent(endpoint string, ended int) {
	if s != nil {
		s.logger.Warn("an instance is silent: it does not even answer a health check",
			slog.String("endpoint", endpoint), slog.Int("attempts_ended", ended))
	}
}

func (s *EndpointStates) speaks(endpoint string) {
	if s != nil {
		s.logger.Info("a silent instance answers again", slog.String("endpoint", endpoint))
	}
}

func (s *EndpointStates) returned(endpoint string) {
	if s != nil {
		s.logger.Info("the rest of an outlier is over; it gets calls again", slog.String("endpoint", endpoint))
	}
}

func (s *EndpointStates) subsetting(conf *subset, instances int) {
	if s == nil || s.isSubset == conf.divides(instances) {
		return
	}
	s.isSubset = !s.isSubset
	if s.isSubset {
		s.logger.Info("the service is large; the channel connects to a subset",
			slog.Int("subset", int(conf.size)), slog.Int("instances", instances))
	} else {
		s.logger.Info("the channel connects to every instance again", slog.Int("instances", instances))
	}
}

type statesKey struct{}

type statesBuilder struct {
	resolver.Builder

	states *EndpointStates
}

func (b statesBuilder) Build(
	target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions,
) (resolver.Resolver, error) {
	return b.Builder.Build(target, statesConn{cc, b.states}, opts)
}

type statesConn struct {
	resolver.ClientConn

	states *EndpointStates
}

func (c statesConn) UpdateState(s resolver.State) error {
	s.Attributes = s.Attributes.WithValue(statesKey{}, c.states)
	return c.ClientConn.UpdateState(s)
}
