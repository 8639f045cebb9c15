package istio_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	securityv1 "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/security/authz/builder"
)

// stricter is what Istio takes and Parley refuses, by a part of its message, with the reason.
func stricter() map[string]string {
	return map[string]string{
		"without a scheme":       "the principal would never match: Istio writes the scheme before it",
		"is no trust domain":     "no trust domain has such a name, so that the value would match nothing",
		"is no namespace":        "no namespace has such a name, so that the value would match nothing",
		"is no service account":  "no service account has such a name, so that the value would match nothing",
		"and IPv4 as such":       "an IPv4 address written as IPv6, or one with a zone, is no address of a connection",
		"begins with a slash":    "no path is without, so that the template would match nothing",
		"is empty":               "Istio's validation overlooks it, and Envoy does not take it",
		"in brackets":            "the key has an empty name, which nothing has",
		"cannot be compared as":  "gRPC decodes binary metadata",
		"this part of a request": "HTTP/2 does not say it",
		"gRPC keeps this header": "gRPC does not show it",
	}
}

// TestValidation compares what both sides take, over odd values in every list and under every key of a condition. What
// both take must be judged alike.
func TestValidation(t *testing.T) {
	r := random{rand.New(rand.NewPCG(4, 2))}
	m := randomMesh(t.TempDir())
	c := &comparison{differences: map[string]int{}}
	bothRefuse := 0
	for _, action := range []securityv1.AuthorizationPolicy_Action{
		securityv1.AuthorizationPolicy_ALLOW, securityv1.AuthorizationPolicy_DENY,
	} {
		for _, rule := range oddRules() {
			d := document{namespace: "shop", name: "p", spec: &securityv1.AuthorizationPolicy{
				Action: action, Rules: []*securityv1.Rule{rule},
			}}
			refused := d.refusedByIstio()
			filters, skipped := m.translate([]document{d}, builder.Option{})
			ours, err := m.enforce(t, []document{d})
			switch {
			case refused == nil && skipped == nil && err == nil:
				calls := make([]call, 30)
				for i := range calls {
					calls[i] = r.call([]document{d})
				}
				c.calls(t, []document{d}, ours, filters, calls)
			case refused == nil && skipped == nil:
				if reason := reasonOf(err); reason == "" {
					t.Errorf("%s\nis refused here without a reason, and not by Istio: %v", d, err)
				} else {
					c.differences[reason]++
				}
			case err == nil:
				t.Errorf("%s\nis refused by Istio, and not here: %v, %v", d, refused, skipped)
			default:
				bothRefuse++
			}
		}
	}
	t.Logf("%d refused by both; %v", bothRefuse, c)
	for _, reason := range stricter() {
		if c.differences[reason] == 0 {
			t.Errorf("a difference does not occur: %s", reason)
		}
	}
}

// reasonOf is the reason why Parley refuses what Istio takes, or "".
func reasonOf(err error) string {
	for part, reason := range stricter() {
		if strings.Contains(err.Error(), part) {
			return reason
		}
	}
	return ""
}

// oddRules are rules of one value, which stands in each list of a source, of an operation and of a condition.
func oddRules() []*securityv1.Rule {
	var rules []*securityv1.Rule
	for _, value := range []string{
		"", "*", "**", "a*b", "*a*", "*a*b", "a*b*", " ", "a b", "é", "a\nb", "/", "//", "a/b/c", "a/b/c/d", "a/b/c/d/e",
		"spiffe://mesh.example/ns/shop/sa/web", "A", "mesh.example/ns/shop/sa/web", "*/ns/shop/sa/web", "10.0.0.1",
		"10.0.0.1/33", "10.0.0.0/8", "10.0.0.1/8", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.1", "::",
		"010.0.0.1", "10.0.0.0/08", "0", "01", "65535", "65536", "80", "+80", "-1", "0x50", "/{*}", "{*}", "{**}",
		"/{*}/{**}",
		"/{**}/{*}", "/{**}/{**}", "/{**}/a", "/{**}/", "/a{*}", "/{a}", "/a/{*}/", "//{*}", "/a//{*}", "/{**}.x", "/a*/{*}",
		"/{", "}", "-a", "a-", "a.b", "_", ".", "a_b", "mesh.*", "*.example", strings.Repeat("a", 321), "/ns/x/sa/y", "*/",
		"/*",
	} {
		list := []string{value}
		for _, s := range []*securityv1.Source{
			{Principals: list}, {NotPrincipals: list}, {RequestPrincipals: list}, {NotRequestPrincipals: list},
			{Namespaces: list}, {NotNamespaces: list}, {ServiceAccounts: list}, {NotServiceAccounts: list},
			{IpBlocks: list}, {NotIpBlocks: list}, {RemoteIpBlocks: list}, {NotRemoteIpBlocks: list},
			{TrustDomains: list}, {NotTrustDomains: list},
		} {
			rules = append(rules, &securityv1.Rule{From: []*securityv1.Rule_From{{Source: s}}})
		}
		for _, o := range []*securityv1.Operation{
			{Hosts: list}, {NotHosts: list}, {Methods: list}, {NotMethods: list}, {Paths: list}, {NotPaths: list},
			{Ports: list}, {NotPorts: list},
		} {
			rules = append(rules, &securityv1.Rule{To: []*securityv1.Rule_To{{Operation: o}}})
		}
		for _, key := range append(keys(),
			"", "source", "source.IP", "destination.labels[a]", "request.headers", "request.headers[]", "request.headers[a",
			"request.headersx[a]", "request.headers[]]", "request.auth.claims", "request.auth.claims[]",
			"request.auth.claims[a][]", "request.auth.claims[][a]", "request.auth.claims[[a]]", "request.auth.claims[a]b[c]",
			"request.headers[x-bin]", "request.headers[:scheme]", "request.headers[te]", "request.headers[grpc-timeout]",
			"request.auth.claims[a] ", "source.user", "experimental.envoy.filters", "request.headers [a]",
		) {
			rules = append(rules,
				&securityv1.Rule{When: []*securityv1.Condition{{Key: key, Values: list}}},
				&securityv1.Rule{When: []*securityv1.Condition{{Key: key, NotValues: list}}})
		}
	}
	return append(rules,
		&securityv1.Rule{From: []*securityv1.Rule_From{{}}}, &securityv1.Rule{To: []*securityv1.Rule_To{{}}},
		&securityv1.Rule{From: []*securityv1.Rule_From{{Source: &securityv1.Source{}}}},
		&securityv1.Rule{To: []*securityv1.Rule_To{{Operation: &securityv1.Operation{}}}},
		&securityv1.Rule{When: []*securityv1.Condition{{Key: "source.ip"}}},
		&securityv1.Rule{From: []*securityv1.Rule_From{{Source: &securityv1.Source{
			ServiceAccounts: []string{"a"}, Namespaces: []string{"a"},
		}}}},
	)
}
