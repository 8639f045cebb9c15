package framework

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Names of what the App itself measures. RPCs are measured by package tracing.
const (
	meterScope = "github.com/parley-rpc/parley/framework"

	metricHandshakes      = "parley.auth.handshakes"
	metricAuthConnections = "parley.auth.connections"
	metricTrustKeys       = "parley.auth.trust.keys"
	metricTrustAge        = "parley.auth.trust.age"
	metricTrustLeft       = "parley.auth.trust.left"
	metricInstances       = "parley.discovery.instances"
	metricDiscoveryAge    = "parley.discovery.age"
	metricEndpoints       = "parley.client.endpoints"

	labelRole    = "parley.auth.role"
	labelOutcome = "parley.auth.outcome"
	labelTrust   = "parley.auth.trust.of"
	labelService = "parley.discovery.service"
	labelTarget  = "grpc.target"
	labelState   = "parley.endpoint.state"
)

// gauges are what is read whenever metrics are collected.
type gauges struct {
	handshakes  metric.Int64ObservableCounter
	connections metric.Int64ObservableGauge
	keys        metric.Int64ObservableGauge
	trustAge    metric.Float64ObservableGauge
	trustLeft   metric.Float64ObservableGauge
	instances   metric.Int64ObservableGauge
	age         metric.Float64ObservableGauge
	endpoints   metric.Int64ObservableGauge
}

// assembleMetrics measures what the identity, discovery and the clients know. It costs nothing until metrics are collected.
func (a *App) assembleMetrics(p *parts) error {
	provider := a.meters()
	if provider == nil {
		return nil
	}
	meter := provider.Meter(meterScope)
	var g gauges
	var errs [9]error
	g.handshakes, errs[0] = meter.Int64ObservableCounter(metricHandshakes, metric.WithUnit("{handshake}"),
		metric.WithDescription("How handshakes ended."))
	g.connections, errs[1] = meter.Int64ObservableGauge(metricAuthConnections, metric.WithUnit("{connection}"),
		metric.WithDescription("How many connections are open on which both ends are proven."))
	g.keys, errs[2] = meter.Int64ObservableGauge(metricTrustKeys, metric.WithUnit("{key}"),
		metric.WithDescription("How many keys are trusted."))
	g.trustAge, errs[3] = meter.Float64ObservableGauge(metricTrustAge, metric.WithUnit("s"),
		metric.WithDescription("How long ago the source of trusted keys last confirmed them."))
	g.instances, errs[4] = meter.Int64ObservableGauge(metricInstances, metric.WithUnit("{instance}"),
		metric.WithDescription("How many instances of a service there are to call."))
	g.age, errs[5] = meter.Float64ObservableGauge(metricDiscoveryAge, metric.WithUnit("s"),
		metric.WithDescription("For how long discovery has not vouched for the instances of a service; 0 while it does."))
	g.trustLeft, errs[6] = meter.Float64ObservableGauge(metricTrustLeft, metric.WithUnit("s"),
		metric.WithDescription("How long the trusted keys stay good if they are not read again."))
	g.endpoints, errs[7] = meter.Int64ObservableGauge(metricEndpoints, metric.WithUnit("{endpoint}"),
		metric.WithDescription("How many endpoints the clients of a target connect to, by state."))
	p.measuring, errs[8] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		g.observeIdentity(o, p)
		g.observeDiscovery(o, p)
		g.observeClients(o, a)
		return nil
	}, g.handshakes, g.connections, g.keys, g.trustAge, g.trustLeft, g.instances, g.age, g.endpoints)
	if err := errors.Join(errs[:]...); err != nil {
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
			attribute.String(labelRole, outcome.Role), attribute.String(labelOutcome, outcome.Result)))
	}
	open := map[string]int64{"client": 0, "server": 0}
	for _, c := range p.identity.Connections() {
		open[c.Role]++
	}
	for role, n := range open {
		o.ObserveInt64(g.connections, n, metric.WithAttributes(attribute.String(labelRole, role)))
	}
	for _, trust := range p.identity.Trust() {
		of := metric.WithAttributes(attribute.String(labelTrust, trust.Of))
		o.ObserveInt64(g.keys, int64(trust.Keys), of)
		if !trust.Read.IsZero() {
			o.ObserveFloat64(g.trustAge, time.Since(trust.Read).Seconds(), of)
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
		service := metric.WithAttributes(attribute.String(labelService, s.Service))
		o.ObserveInt64(g.instances, int64(len(s.State.Instances)), service)
		age := 0.0
		if !s.State.StaleSince.IsZero() {
			age = time.Since(s.State.StaleSince).Seconds()
		}
		o.ObserveFloat64(g.age, age, service)
	}
}

// observeClients adds up the clients of one target.
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
		for state, n := range map[string]int{"usable": n.Usable, "resting": n.Resting, "paused": n.Paused, "unready": n.Unready} {
			counts[group{c.effectiveTarget(), state}] += n
		}
	}
	for of, n := range counts {
		o.ObserveInt64(g.endpoints, int64(n), metric.WithAttributes(
			attribute.String(labelTarget, of.target), attribute.String(labelState, of.state)))
	}
}
