package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// principals decides on a call of each workload that one of the two policies names, before and after the change. The
// calls have no token and no user, so that a demand for either refuses them.
func (c *diffCommand) principals(old, now policy.Method) []methodChange {
	config, err := readConfig(cmp.Or(c.NewConfig, c.OldConfig))
	if err != nil {
		return nil // reported before
	}
	domain, err := principal.ParseTrustDomain(config.trustDomain())
	if err != nil {
		return nil
	}
	before, after := decided(old, domain), decided(now, domain)
	if before == nil || after == nil {
		return nil // no server starts with one of them
	}
	var changes []methodChange
	for _, name := range append([]string{""}, named(old, now)...) {
		call := policy.Call{Method: now.Name}
		who := "a caller without an identity"
		if name != "" {
			pattern, err := domain.ParsePeer(name)
			id, ok := pattern.(principal.ID)
			if err != nil || !ok {
				continue // a pattern is no workload
			}
			call.Peer, who = &principal.Peer{ID: id, Carrier: principal.CarrierConnection}, id.String()
		}
		was, is := before.Explain(context.Background(), &call), after.Explain(context.Background(), &call)
		last := func(e policy.Explanation) string {
			if len(e.Steps) == 0 {
				return now.Auth.Access.Source.String()
			}
			return e.Steps[len(e.Steps)-1].Source.String()
		}
		change := func(effect policy.Effect, text string, decided policy.Explanation) {
			changes = append(changes, methodChange{now.Name, "principal", effect.String(), who + text, last(decided)})
		}
		switch {
		case !was.Allowed && is.Allowed:
			change(policy.EffectOpens, " is allowed now and was refused: "+was.Why, was)
		case was.Allowed && !is.Allowed:
			change(policy.EffectCloses, " is refused now and was allowed: "+is.Why, is)
		}
	}
	return changes
}

// decided compiles a policy, or returns nil if no server starts with it.
func decided(m policy.Method, domain principal.TrustDomain) *decide.Policy {
	compiled, err := decide.Compile(m, &decide.Server{
		Domain: domain, Accepts: func(principal.TrustDomain) bool { return true }, Tokens: true,
		UserIssuers: append([]string{"an issuer of users"}, m.Auth.User.Issuers.Value...),
	})
	if err != nil {
		return nil
	}
	return compiled
}

// named are the workloads that policies name, sorted.
func named(methods ...policy.Method) []string {
	var names []string
	for _, m := range methods {
		for _, list := range m.Auth.Peers {
			names = append(names, list.Value...)
		}
		for _, rule := range m.Auth.Deny {
			names = append(names, rule.Peers...)
		}
		for _, list := range m.Auth.Allow {
			for _, rule := range list.Value {
				names = append(names, rule.Peers...)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "*") })
	slices.Sort(names)
	return slices.Compact(names)
}
