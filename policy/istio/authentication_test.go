package istio_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/policy/istio"
)

func object(kind, namespace, name, spec string) string {
	return "---\napiVersion: security.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " +
		namespace + "}\nspec: " + spec + "\n"
}

// A mode that is less than STRICT is refused by name where it counts. That of the workload counts before that of the
// namespace, and that before the mesh's.
func TestPeerAuthentication(t *testing.T) {
	mesh := func(mode string) string {
		return object("PeerAuthentication", "istio-system", "default", "{mtls: {mode: "+mode+"}}")
	}
	shop := func(mode string) string {
		return object("PeerAuthentication", "shop", "default", "{mtls: {mode: "+mode+"}}")
	}
	workload := func(spec string) string {
		return object("PeerAuthentication", "shop", "orders", "{selector: {matchLabels: {app: orders}}, "+spec+"}")
	}
	for _, test := range []struct{ name, text, says string }{
		{"STRICT", mesh("STRICT"), ""},
		{"nothing said", mesh("UNSET") + shop("UNSET"), ""},
		{"PERMISSIVE in the mesh", mesh("PERMISSIVE"), "spec.mtls.mode: PERMISSIVE is not supported"},
		{"hidden by the namespace", mesh("PERMISSIVE") + shop("STRICT"), ""},
		{"DISABLE in the namespace", mesh("STRICT") + shop("DISABLE"), "shop/default: spec.mtls.mode: DISABLE"},
		{"hidden by the workload", shop("DISABLE") + workload("mtls: {mode: STRICT}"), ""},
		{"a port", workload("portLevelMtls: {8443: {mode: DISABLE}}"), `spec.portLevelMtls["8443"].mode: DISABLE`},
		{"a strict port", workload("portLevelMtls: {8443: {mode: STRICT}}"), ""},
		{"no port", workload("portLevelMtls: {web: {mode: STRICT}}"), "want a number as key"},
		{"another workload", strings.ReplaceAll(workload("mtls: {mode: DISABLE}"), "app: orders", "app: mail"), ""},
		{"another namespace", strings.ReplaceAll(shop("DISABLE"), "namespace: shop", "namespace: dev"), ""},
		{"a mode that is none", shop("STRIKT"), "did you mean \"STRICT\"?"},
	} {
		_, _, err := istio.Parse(orders(), test.text)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
}

// The issuers of users belong into the configuration, as a note says. What is said about claims and headers counts.
func TestRequestAuthentication(t *testing.T) {
	rule := func(rest string) string {
		return object("RequestAuthentication", "shop", "users", "{jwtRules: [{issuer: https://login.example"+rest+"}]}")
	}
	_, notes, err := istio.Parse(orders(), rule(", jwksUri: https://login.example/keys, audiences: [orders]"))
	const want = "mesh.yaml:5 (document 1): RequestAuthentication shop/users: users of https://login.example are taken " +
		"only if the configuration names the issuer: users.issuers: [{issuer: https://login.example, " +
		"keys: {url: https://login.example/keys}, audiences: [orders]}]"
	if err != nil || len(notes) != 1 || notes[0].String() != want {
		t.Errorf("got %v, %v", notes, err)
	}
	asks := func(key string) string {
		return object("AuthorizationPolicy", "shop", "p", "{rules: [{when: [{key: \""+key+"\", values: [b]}]}]}")
	}
	header, roles := asks("request.headers[X-Group]"), asks("request.auth.claims[roles]")
	for _, test := range []struct{ name, text, says string }{
		{"parameters", rule(", fromParams: [token]"), "spec.jwtRules[0].fromParams: a gRPC call has no parameters"},
		{"cookies", rule(", fromCookies: [token]"), "spec.jwtRules[0].fromCookies: a gRPC call has no cookies"},
		{"presence", rule(", presence: REQUIRED"), "spec.jwtRules[0].presence: it is not enforced here"},
		{
			"no issuer", object("RequestAuthentication", "shop", "users", "{jwtRules: [{audiences: [a]}]}"),
			"the issuer is missing",
		},
		{"an unknown key", rule(", jwksURI: x"), "unknown key \"jwksURI\"; did you mean \"jwksUri\"?"},
		{
			"a header of a claim", rule(", outputClaimToHeaders: [{header: x-group, claim: group}]") + header,
			"ask for the claim",
		},
		{"a header of the payload", rule(", outputPayloadToHeader: x-group") + header, "ask for the claim"},
		{"for another namespace", strings.ReplaceAll(rule(", presence: REQUIRED"), "namespace: shop", "namespace: dev"), ""},
		{"another header", rule(", outputPayloadToHeader: x-other") + header, ""},
	} {
		_, _, err := istio.Parse(orders(), test.text)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
	caller := readCall(t, `shop/web user=x|anna c={"roles":"a\u0020b"}`)
	if judge(t, parsed(t, roles), caller) == nil {
		t.Error("a claim is a list of words, although nothing says so")
	}
	if why := judge(t, parsed(t, rule(", spaceDelimitedClaims: [roles]")+roles), caller); why != nil {
		t.Errorf("a claim is no list of words: %v", why)
	}
}
