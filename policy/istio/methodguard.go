package istio

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/policy"
)

// methodGuard is a guard, compiled for one method.
type methodGuard struct {
	points   []methodPoint
	metadata contextkey.Metadata

	// What is left of the points for callers that have called, by their IDs. It is copied before it grows.
	callers atomic.Pointer[map[string][]methodPoint]
	mu      sync.Mutex // held by the one who makes it grow
}

type methodPoint struct {
	deny, allow, audit []*rule
	listed             bool
	unlisted           *policy.Objection
}

// Judge asks what denies first, then what allows.
func (m *methodGuard) Judge(ctx context.Context, call policy.Call) *policy.Objection {
	f := factsOf(&call, &m.metadata)
	points := m.of(ctx, &f)
	for i := range points {
		if objection := points[i].judge(ctx, &f); objection != nil {
			return objection
		}
	}
	return nil
}

// of returns what is left of the points for the caller.
func (m *methodGuard) of(ctx context.Context, f *facts) []methodPoint {
	if known := m.callers.Load(); known != nil {
		if points, ok := (*known)[f.id]; ok {
			return points
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	grown := map[string][]methodPoint{}
	if known := m.callers.Load(); known != nil {
		if len(*known) >= maxCallers {
			return m.points
		}
		maps.Copy(grown, *known)
	}
	points := make([]methodPoint, len(m.points))
	for i := range m.points {
		points[i] = m.points[i].forCaller(ctx, f)
	}
	grown[strings.Clone(f.id)] = points
	m.callers.Store(&grown)
	return points
}

// forCaller leaves out the conditions on the caller's ID that hold, and the rules in which one does not.
func (p *methodPoint) forCaller(ctx context.Context, f *facts) methodPoint {
	left := methodPoint{listed: p.listed, unlisted: p.unlisted}
	f.denies = true
	for i := range p.deny {
		if r, ok := p.deny[i].forCaller(ctx, f); ok {
			left.deny = append(left.deny, &r)
		}
	}
	f.denies = false
	for i := range p.allow {
		if r, ok := p.allow[i].forCaller(ctx, f); ok {
			left.allow = append(left.allow, &r)
		}
	}
	return left
}

func (p *methodPoint) judge(ctx context.Context, f *facts) *policy.Objection {
	f.denies = true
	for i := range p.deny {
		if p.deny[i].holds(ctx, f) {
			return p.deny[i].origin.denies()
		}
	}
	if !p.listed {
		return nil
	}
	f.denies = false
	for i := range p.allow {
		if p.allow[i].holds(ctx, f) {
			return nil
		}
	}
	return p.unlisted
}

// Explain asks in the same order, and keeps the questions. AUDIT rules are asked first, and decide nothing.
func (m *methodGuard) Explain(ctx context.Context, call policy.Call) (*policy.Objection, []policy.Step) {
	f := factsOf(&call, &m.metadata)
	var steps []policy.Step
	ask := func(asked string, rules []*rule, denies bool) int {
		f.denies = denies
		return slices.IndexFunc(rules, func(r *rule) bool {
			holds := r.holds(ctx, &f)
			outcome := "does not hold"
			if holds {
				outcome = "holds"
			}
			steps = append(steps, policy.Step{Asked: asked, Rule: r.origin.text(), Outcome: outcome, Source: r.origin.source()})
			return holds
		})
	}
	for i := range m.points {
		p := &m.points[i]
		ask("audit", p.audit, false)
		if i := ask("deny", p.deny, true); i >= 0 {
			return p.deny[i].origin.denies(), steps
		}
		if p.listed && ask("allow", p.allow, false) < 0 {
			return p.unlisted, steps
		}
	}
	return nil, steps
}
