package framework

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

const meterScope = "github.com/parley-rpc/parley/framework"

// gauges are the instruments that are read when metrics are collected.
type gauges struct {
	handshakes  metric.Int64ObservableCounter
	connections metric.Int64ObservableGauge
	keys        metric.Int64ObservableGauge
	trustAge    metric.Float64ObservableGauge
	trustLeft   metric.Float64ObservableGauge
	trustFilled metric.Float64ObservableGauge
	instances   metric.Int64ObservableGauge
	age         metric.Float64ObservableGauge
	endpoints   metric.Int64ObservableGauge
	generation  metric.Int64ObservableGauge
	configAge   metric.Float64ObservableGauge
	failing     metric.Float64ObservableGauge
	pending     metric.Float64ObservableGauge
}

// assembleMetrics registers the metrics of the identity, discovery and the clients. They are computed only when metrics
// are collected.
func (a *App) assembleMetrics(p *parts) error {
	provider := a.meters()
	if provider == nil {
		return nil
	}
	meter := provider.Meter(meterScope)
	of := vocabulary.From(meter)
	g := gauges{
		handshakes:  of.ObservedCounter(vocabulary.MetricHandshakes),
		connections: of.ObservedGauge(vocabulary.MetricConnections),
		keys:        of.ObservedGauge(vocabulary.MetricTrustKeys),
		trustAge:    of.ObservedLevel(vocabulary.MetricTrustAge),
		trustLeft:   of.ObservedLevel(vocabulary.MetricTrustLeft),
		trustFilled: of.ObservedLevel(vocabulary.MetricTrustFilled),
		instances:   of.ObservedGauge(vocabulary.MetricInstances),
		age:         of.ObservedLevel(vocabulary.MetricDiscoveryAge),
		endpoints:   of.ObservedGauge(vocabulary.MetricEndpoints),
		generation:  of.ObservedGauge(vocabulary.MetricConfigGeneration),
		configAge:   of.ObservedLevel(vocabulary.MetricConfigAge),
		failing:     of.ObservedLevel(vocabulary.MetricConfigFailing),
		pending:     of.ObservedLevel(vocabulary.MetricConfigPending),
	}
	var err error
	p.measuring, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g.observeIdentity(o, p)
		g.observeDiscovery(o, p)
		g.observeClients(o, a)
		for name, state := range p.contents {
			g.observeContent(o, name, state)
		}
		return nil
	}, g.handshakes, g.connections, g.keys, g.trustAge, g.trustLeft, g.trustFilled, g.instances, g.age, g.endpoints,
		g.generation, g.configAge, g.failing, g.pending)
	if err := errors.Join(of.Err(), err); err != nil {
		return fmt.Errorf("the meter provider refuses an instrument: %w", err)
	}
	return nil
}

func (g *gauges) observeIdentity(o metric.Observer, p *parts) {
	if p.identity == nil {
		return
	}
	for outcome, n := range p.identity.Outcomes() {
		if outcome.Of != "handshake" {
			continue // package auth counts the calls that it refuses
		}
		o.ObserveInt64(g.handshakes, int64(n), metric.WithAttributes( //nolint:gosec // counts of connections
			attribute.String(vocabulary.LabelRole, outcome.Role), attribute.String(vocabulary.LabelOutcome, outcome.Result)))
	}
	open := map[string]int64{"client": 0, "server": 0}
	for _, c := range p.identity.Connections() {
		open[c.Role]++
	}
	for role, n := range open {
		o.ObserveInt64(g.connections, n, metric.WithAttributes(attribute.String(vocabulary.LabelRole, role)))
	}
	for _, trust := range p.identity.Trust() {
		of := metric.WithAttributes(attribute.String(vocabulary.LabelTrustOf, trust.Of))
		o.ObserveInt64(g.keys, int64(trust.Keys), of)
		if !trust.Read.IsZero() {
			o.ObserveFloat64(g.trustAge, time.Since(trust.Read).Seconds(), of)
		}
		if trust.Limit > 0 {
			o.ObserveFloat64(g.trustFilled, float64(trust.Files)/float64(trust.Limit), of)
		}
		if !trust.Ends.IsZero() {
			o.ObserveFloat64(g.trustLeft, time.Until(trust.Ends).Seconds(), of)
		}
	}
}

func (g *gauges) observeDiscovery(o metric.Observer, p *parts) {
	if p.registry == nil {
		return
	}
	for _, s := range p.registry.Snapshot().Services {
		service := metric.WithAttributes(attribute.String(vocabulary.LabelService, s.Service))
		o.ObserveInt64(g.instances, int64(len(s.State.Instances)), service)
		age := 0.0
		if !s.State.StaleSince.IsZero() {
			age = time.Since(s.State.StaleSince).Seconds()
		}
		o.ObserveFloat64(g.age, age, service)
	}
}

// observeContent observes the state of the configuration file or of a policy source.
func (g *gauges) observeContent(o metric.Observer, name string, state contentState) {
	since := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return time.Since(t).Seconds()
	}
	source := metric.WithAttributes(attribute.String(vocabulary.LabelConfigSource, name))
	o.ObserveInt64(g.generation, int64(state.generation), source)
	o.ObserveFloat64(g.configAge, since(state.since), source)
	o.ObserveFloat64(g.failing, since(state.failing), source)
	o.ObserveFloat64(g.pending, since(state.pending), source)
}

// observeClients observes the sums of all clients of each target.
func (g *gauges) observeClients(o metric.Observer, a *App) {
	a.mu.Lock()
	clients := a.clients
	a.mu.Unlock()
	type group struct{ target, state string }
	counts := map[group]int{}
	for _, c := range clients {
		ch := c.open.Load()
		if ch == nil {
			continue
		}
		n, ok := ch.states.Count()
		if !ok {
			continue
		}
		for state, n := range map[string]int{
			vocabulary.EndpointUsable: n.Usable, vocabulary.EndpointResting: n.Resting,
			vocabulary.EndpointPaused: n.Paused, vocabulary.EndpointUnready: n.Unready,
		} {
			counts[group{c.effectiveTarget(), state}] += n
		}
	}
	for of, n := range counts {
		o.ObserveInt64(g.endpoints, int64(n), metric.WithAttributes(
			attribute.String(vocabulary.LabelTarget, of.target), attribute.String(vocabulary.LabelEndpointState, of.state)))
	}
}
