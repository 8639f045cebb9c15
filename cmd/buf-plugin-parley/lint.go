package main

import (
	"context"
	"slices"
	"strings"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checkutil"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

func lintRules() []*check.RuleSpec {
	type handler = func(finding, protoreflect.MethodDescriptor, *policy.Table)
	rule := func(id, purpose string, handle handler) *check.RuleSpec {
		return &check.RuleSpec{
			ID: id, CategoryIDs: []string{categoryLint}, Default: true, Purpose: purpose, Type: check.RuleTypeLint,
			Handler: checkutil.NewMethodRuleHandler(func(
				ctx context.Context, w check.ResponseWriter, _ check.Request, m protoreflect.MethodDescriptor,
			) error {
				read, err := policiesFrom(ctx)
				if err != nil {
					return err
				}
				handle(finding{w, m}, m, read.now)
				return nil
			}, checkutil.WithoutImports()),
		}
	}
	mistakes := func(id, purpose string, about func(*policy.Mistake) bool) *check.RuleSpec {
		return rule(id, purpose, func(f finding, m protoreflect.MethodDescriptor, t *policy.Table) {
			_, err := t.Method(nameOf(m))
			for _, mistake := range policy.Mistakes(err) {
				if about(mistake) {
					f.mistake(mistake)
				}
			}
		})
	}
	return []*check.RuleSpec{
		rule("PARLEY_IDEMPOTENCY_STATED",
			"Checks that each method states its idempotency_level, even as IDEMPOTENCY_UNKNOWN.", idempotencyStated),
		rule("PARLEY_AUTH_DECIDED",
			"Checks that each method, or its service, decides who may call.", authDecided),
		mistakes("PARLEY_ATTEMPTS_FIT",
			"Checks that deadlines, attempts and waits hold together.", aboutTime),
		mistakes("PARLEY_HEDGING_ALLOWED",
			"Checks that only methods that may be repeated are hedged.", aboutHedges),
		rule("PARLEY_PEERS_WELL_FORMED",
			"Checks that peers are names or SPIFFE IDs, with a star only as their last segment.", peersWellFormed),
		mistakes("PARLEY_RULES_NAMED",
			"Checks that each rule has a name of its own, under which logs report it.", aboutNames),
		mistakes("PARLEY_POLICY_VALID",
			"Checks everything else that a server refuses to start with.", func(m *policy.Mistake) bool {
				return !aboutTime(m) && !aboutHedges(m) && !aboutNames(m)
			}),
		rule("PARLEY_POLICY_SURPRISES",
			"Checks for policies that are valid and may not mean what they seem to.", surprises),
	}
}

// finding reports what is wrong with a method.
type finding struct {
	w check.ResponseWriter
	m protoreflect.MethodDescriptor
}

func (f finding) report(format string, args ...any) {
	f.w.AddAnnotation(check.WithDescriptor(f.m), check.WithMessagef(format, args...))
}

// mistake reports a mistake where it stands: at the method, or at its service.
func (f finding) mistake(mistake *policy.Mistake) {
	at, text := protoreflect.Descriptor(f.m), mistake.Problem
	if mistake.Field != "" {
		text = mistake.Field + ": " + text
	}
	if strings.HasSuffix(mistake.Subject, "/*") {
		if f.m.Index() > 0 {
			return // reported with the first method
		}
		at = f.m.Parent()
	}
	f.w.AddAnnotation(check.WithDescriptor(at), check.WithMessage(text))
}

func idempotencyStated(f finding, m protoreflect.MethodDescriptor, _ *policy.Table) {
	options, _ := m.Options().(*descriptorpb.MethodOptions)
	if options == nil || options.IdempotencyLevel == nil {
		f.report("%s does not say whether it may be repeated; state option idempotency_level, as IDEMPOTENCY_UNKNOWN "+
			"if it must not be", m.Name())
	}
}

func authDecided(f finding, m protoreflect.MethodDescriptor, t *policy.Table) {
	effective, err := t.Method(nameOf(m))
	if err == nil && !effective.Auth.Access.Stated() {
		f.report("nothing decides who may call %s; state auth in option (parley.policy.v1.method) or in "+
			"(parley.policy.v1.service)", m.Name())
	}
}

// peersWellFormed reads peers as a server does. A name belongs to the server's trust domain, for which any domain
// stands here.
func peersWellFormed(f finding, m protoreflect.MethodDescriptor, t *policy.Table) {
	effective, err := t.Method(nameOf(m))
	if err != nil {
		return
	}
	domain, err := principal.ParseTrustDomain("trust.example")
	if err != nil {
		return
	}
	for _, peer := range peersOf(effective) {
		if _, err := domain.ParsePeer(peer); err != nil {
			f.report("%v", err)
		}
	}
}

// peersOf are the peers that the policy names anywhere, each once.
func peersOf(m policy.Method) []string {
	var peers []string
	for _, auth := range []policy.Auth{m.Auth, m.Trial} {
		for _, list := range auth.Peers {
			peers = append(peers, list.Value...)
		}
		rules := slices.Clone(auth.Deny)
		for _, list := range auth.Allow {
			rules = append(rules, list.Value...)
		}
		for _, rule := range rules {
			peers = append(peers, rule.Peers...)
		}
	}
	slices.Sort(peers)
	return slices.Compact(peers)
}

func surprises(f finding, m protoreflect.MethodDescriptor, t *policy.Table) {
	effective, err := t.Method(nameOf(m))
	if err != nil {
		return
	}
	for _, warning := range effective.Warnings() {
		f.mistake(warning)
	}
}

func aboutTime(m *policy.Mistake) bool {
	return strings.HasPrefix(m.Field, "deadline") || strings.HasPrefix(m.Field, "retry")
}

func aboutHedges(m *policy.Mistake) bool { return strings.HasPrefix(m.Field, "hedge") }

func aboutNames(m *policy.Mistake) bool {
	return strings.HasSuffix(m.Field, ".name") || m.Field == "auth" && strings.Contains(m.Problem, "are called")
}
