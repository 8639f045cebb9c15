package auth

import (
	"context"
	"fmt"
	"slices"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// WithPredicate gives a meaning to a name that rules list under predicates. A policy that names a predicate which the
// server does not have is a mistake, reported by [Gate.Resolve].
func WithPredicate(name string, p policy.Predicate) ServerOption {
	return serverOption{fmt.Sprintf("auth.WithPredicate(%q)", name), func(c *serverConfig) {
		c.predicates = append(c.predicates, decide.Predicate{Name: name, Test: p})
	}}
}

// WithStepUp refuses callers with INSUFFICIENT_SCOPE instead of POLICY_DENIED if only scopes or claims of a token are
// missing, so that they can request another token. The error does not name the missing scopes and claims. By default,
// all refused callers get POLICY_DENIED.
func WithStepUp() ServerOption {
	return serverOption{"auth.WithStepUp()", func(c *serverConfig) { c.stepUp = true }}
}

// compile compiles the policy of a method for this server.
func (g *Gate) compile(m policy.Method) (*decide.Policy, error) {
	server := g.server
	server.UserIssuers = append(slices.Clone(server.UserIssuers), g.config.users.issuers()...)
	return decide.Compile(m, &server)
}

// describeServer says what this server can prove of its callers.
func (g *Gate) describeServer() decide.Server {
	s := decide.Server{
		Domain: g.identity.self.TrustDomain(), Tokens: g.config.bearer,
		Accepts: func(domain principal.TrustDomain) bool {
			return g.identity.accepts(domain) || mayNameIn(g.config.issuers, domain)
		},
		Predicates: g.config.predicates, StepUp: g.config.stepUp,
	}
	for _, issuer := range g.config.userIssuers {
		s.UserIssuers = append(s.UserIssuers, issuer.Name)
	}
	for _, issuer := range g.config.transactionIssuers {
		s.UserIssuers = append(s.UserIssuers, issuer.Name)
	}
	return s
}

// authorize decides on a call, and tries what is on trial. Its error is a refusal. Undecided is why there is no policy
// to decide by.
func (g *Gate) authorize(ctx context.Context, p *decide.Policy, undecided error, call policy.Call) error {
	if err := g.judge(ctx, p, undecided, call); err != nil {
		return err
	}
	if d := p.Try(ctx, &call); !d.Allows() {
		g.auditTrial(ctx, call, refuse(d.Reason(), d))
	}
	return nil
}

// judge decides on a call. Its error is a refusal.
func (g *Gate) judge(ctx context.Context, p *decide.Policy, undecided error, call policy.Call) error {
	if undecided != nil {
		// No policy decides who may call, so no caller may. An unknown caller must not learn which methods there are.
		if call.Peer == nil && call.User == nil {
			return refuse(rpcerr.CredentialsMissing, undecided)
		}
		return refuse(rpcerr.PolicyDenied, undecided)
	}
	if d := p.Judge(ctx, &call); !d.Allows() {
		return refuse(d.Reason(), d)
	}
	return nil
}

// Explain decides about a call as the interceptors do, and explains the decision. Call has the properties of the call;
// its Method must be the full name. Explain calls predicates. It does not log or count the decision.
func (g *Gate) Explain(ctx context.Context, call policy.Call) policy.Explanation {
	p, err := g.view.Get(call.Method)
	if err != nil {
		return policy.Explanation{Method: call.Method, Reason: rpcerr.PolicyDenied, Why: err.Error()}
	}
	return p.Explain(ctx, &call)
}

// HealthPolicy returns the usual policy for gRPC's own health service, whose .proto has no policy: any caller may call
// it. Use it in a layer of the policy table, such as one of [policy.Code]. The program must link the health service.
func HealthPolicy() map[string]*policyv1.Policy {
	return systemPolicy(policyv1.Access_ACCESS_ANONYMOUS, "/grpc.health.v1.Health/*")
}

// ReflectionPolicy is like [HealthPolicy], for both versions of gRPC's reflection service: any workload with a proven
// identity may call it.
func ReflectionPolicy() map[string]*policyv1.Policy {
	return systemPolicy(policyv1.Access_ACCESS_AUTHENTICATED,
		"/grpc.reflection.v1.ServerReflection/*", "/grpc.reflection.v1alpha.ServerReflection/*")
}

func systemPolicy(access policyv1.Access, services ...string) map[string]*policyv1.Policy {
	policies := make(map[string]*policyv1.Policy, len(services))
	for _, service := range services {
		policies[service] = &policyv1.Policy{Auth: &policyv1.Auth{Access: access.Enum()}}
	}
	return policies
}
