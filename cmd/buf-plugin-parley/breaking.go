package main

import (
	"context"
	"strings"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checkutil"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/policy"
)

// word, in the comment of a method or of its service, says that callers lose time or attempts on purpose.
const word = "parley:shortened"

func breakingRules() []*check.RuleSpec {
	rule := func(id, purpose string, breaks func(policy.Change) bool, reason string) *check.RuleSpec {
		return &check.RuleSpec{
			ID: id, CategoryIDs: []string{categoryBreaking}, Default: true, Purpose: purpose,
			Type: check.RuleTypeBreaking,
			Handler: checkutil.NewMethodPairRuleHandler(func(
				ctx context.Context, w check.ResponseWriter, _ check.Request, m, old protoreflect.MethodDescriptor,
			) error {
				read, err := policiesFrom(ctx)
				if err != nil {
					return err
				}
				before, err := read.before.Method(nameOf(old))
				if err != nil {
					return nil //nolint:nilerr // what was invalid promised nothing
				}
				now, err := read.now.Method(nameOf(m))
				if err != nil {
					if id == ruleAuthKept { // one of the rules says it for all
						reportInvalid(finding{w, m}, err)
					}
					return nil
				}
				for _, change := range policy.Compare(before, now) {
					if breaks(change) && (!allowedByWord(change) || !said(m)) {
						w.AddAnnotation(check.WithDescriptor(m), check.WithAgainstDescriptor(old),
							check.WithMessagef("%s: %s; %s", change.Field, change.Text, reason))
					}
				}
				return nil
			}, checkutil.WithoutImports()),
		}
	}
	const ask = "callers that rely on the former one fail; keep it, or write " + word + " into the comment of " +
		"the method"
	return []*check.RuleSpec{
		rule(ruleAuthKept, "Checks that no change lets more callers in.",
			func(c policy.Change) bool { return c.Effect == policy.EffectOpens },
			"what the author demanded protects every deployment; keep it, or make a new method"),
		rule("PARLEY_IDEMPOTENCY_KEPT", "Checks that a method that may be repeated stays one.",
			func(c policy.Change) bool { return c.Field == "idempotency" && c.Effect == policy.EffectShortens },
			"callers repeat it, also those that were built before; keep the level, or make a new method"),
		rule("PARLEY_DEADLINE_KEPT", "Checks that no deadline becomes shorter without the word "+word+".",
			func(c policy.Change) bool { return c.Field == "deadline.max" && c.Effect == policy.EffectShortens }, ask),
		rule("PARLEY_ATTEMPTS_KEPT", "Checks that no method has fewer attempts without the word "+word+".",
			func(c policy.Change) bool {
				return c.Field == "retry.max_attempts" && c.Effect == policy.EffectShortens
			}, ask),
	}
}

// ruleAuthKept also reports a policy that is invalid, which no rule can compare.
const ruleAuthKept = "PARLEY_AUTH_KEPT"

// reportInvalid reports that nothing was compared. A mistake of a whole service is reported once.
func reportInvalid(f finding, err error) {
	for _, mistake := range policy.Mistakes(err) {
		compared := *mistake
		compared.Problem += "; a policy with a mistake is not compared with the former one"
		f.mistake(&compared)
	}
}

func allowedByWord(c policy.Change) bool {
	return c.Field != "idempotency" && c.Effect == policy.EffectShortens
}

// said reports whether the comment of the method or of its service has the word.
func said(m protoreflect.MethodDescriptor) bool {
	locations := m.ParentFile().SourceLocations()
	for _, d := range []protoreflect.Descriptor{m, m.Parent()} {
		at := locations.ByDescriptor(d)
		if strings.Contains(at.LeadingComments, word) || strings.Contains(at.TrailingComments, word) {
			return true
		}
	}
	return false
}
