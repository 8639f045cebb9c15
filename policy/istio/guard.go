package istio

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// healthService is asked by gRPC's clients before they call, as no client of a sidecar does. A workload may say that
// only DENY rules which name it count there.
const healthService = "/grpc.health.v1.Health/"

// guard enforces the AuthorizationPolicies that count for a workload.
type guard struct {
	name       string
	aliases    []string
	openHealth bool // only DENY rules that name the health service count for it
	words      wordClaims
	points     []point                  // each must let a call pass
	key        func() [sha256.Size]byte // the same for the same policies, wherever they stand
	metadata   contextkey.Metadata

	mu       sync.Mutex
	programs map[principal.TrustDomain]*program // compiled for the servers that have asked
}

var _ policy.Guard = (*guard)(nil)

// point is an enforcement point of the mesh, with its policies by what they do.
type point struct{ deny, allow, audit []*authorization }

// String is "istio /etc/mesh for shop app=orders: 2 DENY, 3 ALLOW".
func (g *guard) String() string {
	counts := point{}
	for _, p := range g.points {
		counts.deny, counts.allow = append(counts.deny, p.deny...), append(counts.allow, p.allow...)
		counts.audit = append(counts.audit, p.audit...)
	}
	var parts []string
	for _, of := range []struct {
		policies []*authorization
		action   string
	}{{counts.deny, "DENY"}, {counts.allow, "ALLOW"}, {counts.audit, "AUDIT"}} {
		if len(of.policies) > 0 {
			parts = append(parts, strconv.Itoa(len(of.policies))+" "+of.action)
		}
	}
	return g.name + ": " + strings.Join(parts, ", ")
}

// Same reports whether other holds the same policies for the same workload.
func (g *guard) Same(other policy.Guard) bool {
	o, ok := other.(*guard)
	return ok && (o == g || o.key() == g.key())
}

// Compile leaves out the rules that are about other methods. It is asked again for each set of layers that the guard is
// in, and gives the same answer.
func (g *guard) Compile(method string, domain principal.TrustDomain) (policy.MethodGuard, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.program(domain)
	m, known := p.methods[method]
	if !known {
		m = g.compile(method, p)
		if len(p.methods) < maxMethods {
			p.methods[method] = m
		}
	}
	if m == nil {
		return nil, nil
	}
	return m, nil
}

// compile returns nil for a method that is open to every call.
func (g *guard) compile(method string, p *program) *methodGuard {
	m := &methodGuard{metadata: g.metadata}
	open := true
	for i := range p.points {
		at := p.points[i].of(method, g.openHealth && strings.HasPrefix(method, healthService))
		open = open && len(at.deny)+len(at.audit) == 0 && !at.listed
		m.points = append(m.points, at)
	}
	if open {
		return nil
	}
	return m
}

// program compiles the policies for a trust domain, once. The guard is locked.
func (g *guard) program(domain principal.TrustDomain) *program {
	if p := g.programs[domain]; p != nil {
		return p
	}
	domains := append([]string{domain.String()}, g.aliases...)
	p := &program{methods: map[string]*methodGuard{}}
	for _, at := range g.points {
		compiled := compiledPoint{
			deny:   g.rules(at.deny, domains),
			allow:  g.rules(at.allow, domains),
			audit:  g.rules(at.audit, domains),
			listed: len(at.allow) > 0,
		}
		if compiled.listed {
			compiled.unlisted = &policy.Objection{Why: "no ALLOW rule of the mesh holds", Source: sourceOf(at.allow)}
		}
		p.points = append(p.points, compiled)
	}
	if g.programs == nil {
		g.programs = map[principal.TrustDomain]*program{}
	}
	g.programs[domain] = p
	return p
}

// rules compiles the rules of policies.
func (g *guard) rules(policies []*authorization, domains []string) ruleSet {
	var rules []ruleFor
	for _, a := range policies {
		c := compiler{domains: domains, namespace: a.object.namespace, words: g.words}
		for i := range a.rules {
			stated := &a.rules[i]
			r := rule{origin: &origin{policy: a, stated: stated}, when: c.conditions(stated.when)}
			for _, from := range stated.from {
				r.from = append(r.from, c.conditions(from))
			}
			rules = append(rules, ruleFor{rule: r, to: c.operations(stated.to)})
		}
	}
	return newRuleSet(rules)
}

// sourceOf is where policies stand, of many the first ones.
func sourceOf(policies []*authorization) policy.Source {
	var places []string
	for _, a := range policies {
		if len(places) == maxSources {
			places = append(places, "and "+strconv.Itoa(len(policies)-maxSources)+" more")
			break
		}
		places = append(places, a.object.place(a.object.node))
	}
	return policy.Source{Kind: policy.KindFile, Place: strings.Join(places, ", ")}
}

// program is the policies, compiled for one trust domain.
type program struct {
	points  []compiledPoint
	methods map[string]*methodGuard // by name; nil for one that is open
}

type compiledPoint struct {
	deny, allow, audit ruleSet
	listed             bool // there is an ALLOW policy, so that one must match
	unlisted           *policy.Objection
}

// ruleFor is a rule and the operations that it is about. No operations are any.
type ruleFor struct {
	rule rule
	to   []operation
}

// operation is the part of an entry of to that is the same for all calls of a method, and the other conditions.
type operation struct {
	method []condition // on method and path
	call   []condition
}

func (c *compiler) operations(stated [][]statedCondition) []operation {
	operations := make([]operation, 0, len(stated))
	for _, conditions := range stated {
		var o operation
		for _, condition := range c.conditions(conditions) {
			if condition.attribute == attributeMethod || condition.attribute == attributePath {
				o.method = append(o.method, condition)
			} else {
				o.call = append(o.call, condition)
			}
		}
		operations = append(operations, o)
	}
	return operations
}

// of leaves the rules for one method. Named says that only those count that name its service and deny.
func (p *compiledPoint) of(method string, named bool) methodPoint {
	if named {
		deny := newRuleSet(slices.DeleteFunc(slices.Clone(p.deny.rules), ruleFor.isGeneral))
		return methodPoint{deny: deny.of(method)}
	}
	return methodPoint{
		deny:     p.deny.of(method),
		allow:    p.allow.of(method),
		audit:    p.audit.of(method),
		listed:   p.listed,
		unlisted: p.unlisted,
	}
}

// isGeneral reports whether no operation of the rule names the health service.
func (r ruleFor) isGeneral() bool {
	return !slices.ContainsFunc(r.to, func(o operation) bool {
		return slices.ContainsFunc(o.method, func(c condition) bool {
			return slices.ContainsFunc(c.values.patterns, func(p pattern) bool {
				return c.attribute == attributePath && strings.HasPrefix(p.text, strings.TrimSuffix(healthService, "/"))
			})
		})
	})
}

// operationsOf are the conditions that are left of to for a method, none where any call of it fits. It reports false
// where no call fits.
func (r *ruleFor) operationsOf(call *policy.Call) ([][]condition, bool) {
	if len(r.to) == 0 {
		return nil, true
	}
	f := facts{call: call}
	var left [][]condition
	for i := range r.to {
		o := &r.to[i]
		if !allHold(context.Background(), o.method, &f) {
			continue
		}
		if len(o.call) == 0 {
			return nil, true
		}
		left = append(left, o.call)
	}
	return left, len(left) > 0
}
