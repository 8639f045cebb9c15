package istio_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/policy/istio"
)

// FuzzParse reads whatever there is: it ends, its mistakes have places, and what it takes can be asked.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "---\n---\n", "a: &a [*a]", head + "spec: &s {<<: *s}\n", denyDev, namespace(),
		"{apiVersion: v1, kind: List, items: [*x]}",
		head + "spec: {rules: [{when: [{key: \"request.auth.claims[a][b]\", values: [\"*\"]}]}]}\n",
		head + "spec: {rules: [{to: [{operation: {paths: [\"/{*}/{**}\"], hosts: [\"*.X\"]}}]}]}\n",
		strings.ReplaceAll(denyDev, "\n", "\r\n"),
		"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicyList\nitems: [null]\n",
		object("RequestAuthentication", "shop", "u", "{jwtRules: [{issuer: i, jwks: '{\"keys\":[]}', audiences: ['*'], "+
			"fromHeaders: [{name: X, prefix: 'B '}], outputClaimToHeaders: [{header: Y, claim: a.b}], timeout: 1ns}]}"),
		object("RequestAuthentication", "shop", "u", "{targetRefs: [{kind: Service, name: orders}], jwtRules: [{issuer: "+
			"'https://a.example', spaceDelimitedClaims: [b], outputPayloadToHeader: z, jwksUri: 'https://a.example/'}]}"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		layers, notes, err := istio.Parse(orders(), text)
		if err != nil {
			m, ok := errors.AsType[*istio.Mistake](err)
			if ok && (m.File != "mesh.yaml" || m.Problem == "") {
				t.Errorf("a mistake without a place or a problem: %#v", m)
			}
			return
		}
		rules, err := istio.UserRules(orders(), text)
		if err != nil {
			t.Errorf("the policies are good, and the rules about users are not: %v", err)
		}
		for _, r := range rules {
			if r.Check() != nil || !strings.HasPrefix(r.Place, "mesh.yaml:") {
				t.Errorf("a rule that no server takes: %+v, %v", r, r.Check())
			}
		}
		for _, n := range notes {
			if !strings.HasPrefix(n.Place, "mesh.yaml:") || n.Text == "" {
				t.Errorf("a note without a place or a text: %#v", n)
			}
		}
		judge(t, layers, readCall(t, `shop/web user=x|anna c={"a":{"b":"c"}}`))
	})
}

// FuzzGlob compares with the slow way to say the same.
func FuzzGlob(f *testing.F) {
	f.Add("*/ns/*/*", "spiffe://a/ns/b/sa/c")
	f.Add("a.*", "axb")
	f.Add("**a*", "aa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 20 || len(text) > 40 || strings.ContainsAny(pattern+text, "\n") || !isASCII(pattern+text) {
			return
		}
		want := make(expressions).full(globExpression(pattern), text)
		if got := istio.Glob(pattern, text); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// FuzzTemplate compares templates with the expressions that Envoy makes of them.
func FuzzTemplate(f *testing.F) {
	f.Add("/{*}/GetOrder", "/a/GetOrder")
	f.Add("/a/{**}", "/a/")
	f.Add("/{**}", "/a/b")
	f.Fuzz(func(t *testing.T, template, path string) {
		text := head + "spec: {rules: [{to: [{operation: {paths: [" + quoted(template) + "]}}]}]}\n"
		if !isASCII(template+path) || !strings.Contains(template, "{*}") && !strings.Contains(template, "{**}") {
			return
		}
		if _, _, err := istio.Parse(orders(), text); err != nil {
			return
		}
		want := make(expressions).full(templateExpression(template), path)
		if got := istio.MatchesTemplate(template, path); got != want {
			t.Errorf("%q matches %q: %v, want %v", template, path, got, want)
		}
	})
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// quoted is a text as YAML writes it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func globExpression(pattern string) string {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return strings.Join(parts, ".*")
}
