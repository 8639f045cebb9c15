package istio_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
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

// What is wrong with a RequestAuthentication that counts, and which claims are lists of words.
func TestRequestAuthentication(t *testing.T) {
	named := func(namespace, name, more, rest string) string {
		return object("RequestAuthentication", namespace, name,
			"{"+more+"jwtRules: [{issuer: https://login.example"+rest+"}]}")
	}
	rule := func(rest string) string { return named("shop", "users", "", rest) }
	waypoint := func(rest string) string {
		return named("shop", "before", "targetRefs: [{kind: Service, name: orders}], ", rest)
	}
	asks := func(key string) string {
		return object("AuthorizationPolicy", "shop", "p", "{rules: [{when: [{key: \""+key+"\", values: [b]}]}]}")
	}
	header, roles := asks("request.headers[X-Group]"), asks("request.auth.claims[roles]")
	for _, test := range []struct{ name, text, says string }{
		{"good", rule(", jwksUri: https://login.example/keys, audiences: [orders]"), ""},
		{"parameters", rule(", fromParams: [token]"), "spec.jwtRules[0].fromParams: a gRPC call has no parameters"},
		{"cookies", rule(", fromCookies: [token]"), "spec.jwtRules[0].fromCookies: a gRPC call has no cookies"},
		{"presence", rule(", presence: REQUIRED"), "spec.jwtRules[0].presence: it is not enforced here"},
		{
			"keys in two places", rule(`, jwks: "{}", jwksUri: https://a.example`),
			"spec.jwtRules[0].jwksUri: jwks is stated as well",
		},
		{
			"no issuer", object("RequestAuthentication", "shop", "users", "{jwtRules: [{audiences: [a]}]}"),
			"the issuer is missing",
		},
		{"an unknown key", rule(", jwksURI: x"), "unknown key \"jwksURI\"; did you mean \"jwksUri\"?"},
		{
			"keys that are none", rule(`, jwks: "{}"`),
			"mesh.yaml:5:51 (document 1): RequestAuthentication shop/users: spec.jwtRules[0].jwks: keyset: Static",
		},
		{"keys without TLS", rule(", jwksUri: http://login.example/keys"), "spec.jwtRules[0].jwksUri: keyset.URL("},
		{
			"no provider", strings.ReplaceAll(rule(""), "https://login.example", "login"),
			"spec.jwtRules[0].issuer: keyset.Provider(",
		},
		{"a header of gRPC", rule(", fromHeaders: [{name: grpc-timeout}]"), `tokens cannot come in "grpc-timeout"`},
		{
			"a claim in a credential", rule(", outputPayloadToHeader: Authorization"),
			`claims cannot be written into "authorization"`,
		},
		{"a claim over a token", rule(", fromHeaders: [{name: x-a}], outputPayloadToHeader: x-a"), `tokens come there`},
		{"a claim without a name", rule(", outputClaimToHeaders: [{header: x-a}]"), `no claim is named for "x-a"`},
		{
			"a header of a claim", rule(", outputClaimToHeaders: [{header: x-group, claim: group}]") + header,
			"ask for the claim",
		},
		{"a header of the payload", rule(", outputPayloadToHeader: x-group") + header, "ask for the claim"},
		{"another header", rule(", outputPayloadToHeader: x-other") + header, ""},
		{"for another namespace", named("dev", "users", "", ", presence: REQUIRED"), ""},
		{
			"for another workload", named("shop", "users", "selector: {matchLabels: {app: mail}}, ", ", presence: REQUIRED"),
			"",
		},
		{
			"selector and target", named("shop", "users", "selector: {}, targetRefs: [{kind: Service, name: orders}], ", ""),
			"either targetRefs or a selector",
		},
		{
			"words by one rule alone", rule("") + named("istio-system", "mesh", "", ", spaceDelimitedClaims: [roles]"),
			"the rule for the same issuer at mesh.yaml:",
		},
		{
			"workload and waypoint differ", rule(", audiences: [a]") + waypoint(""),
			"workload and waypoint have different rules",
		},
		{"workload and waypoint agree", rule("") + waypoint("") + roles, ""},
		{
			"the waypoint alone, and the workload asks", waypoint("") + roles,
			"no RequestAuthentication counts at this point of the mesh",
		},
		{"the waypoint alone", waypoint("") + header, ""},
	} {
		_, _, err := istio.Parse(orders(), test.text)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
	caller := readCall(t, `shop/web user=https://login.example|anna c={"roles":"a\u0020b"}`)
	if judge(t, parsed(t, roles), caller) == nil {
		t.Error("a claim is a list of words, although nothing says so")
	}
	split := parsed(t, rule(", spaceDelimitedClaims: [roles]")+roles)
	if why := judge(t, split, caller); why != nil {
		t.Errorf("a claim is no list of words: %v", why)
	}
	if judge(t, split, readCall(t, `shop/web user=x|anna c={"roles":"a\u0020b"}`)) == nil {
		t.Error("a claim is a list of words in the token of an issuer of which nothing says so")
	}
}

// A rule means the same wherever it stands, and what is beyond bounds is noted.
func TestUserRules(t *testing.T) {
	rules := func(text string) []auth.UserRule {
		t.Helper()
		found, err := istio.UserRules(orders(), text)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	const rule = "{jwtRules: [{issuer: https://login.example, audiences: [orders], timeout: 2m, " +
		"jwksUri: https://login.example/k}]}"
	text := object("RequestAuthentication", "shop", "users", rule)
	found := rules(text)
	if len(found) != 1 || found[0].Place != "mesh.yaml:5 (document 1)" ||
		found[0].Subject != "RequestAuthentication shop/users" ||
		found[0].FetchTimeout != time.Minute ||
		len(found[0].Audiences) != 6 {
		t.Errorf("got %+v", found)
	}
	_, notes, err := istio.Parse(orders(), text)
	const want = "mesh.yaml:5 (document 1): RequestAuthentication shop/users: a fetch of the keys has between 10ms and " +
		"1m0s, here 1m0s"
	if err != nil || len(notes) != 1 || notes[0].String() != want {
		t.Errorf("got %v, %v, want %s", notes, err, want)
	}
	if twice := rules(text + object("RequestAuthentication", "istio-system", "users", rule)); len(twice) != 1 {
		t.Errorf("a rule that stands there twice counts %d times", len(twice))
	}
	if none := rules(denyDev); len(none) != 0 {
		t.Errorf("got %v of policies about no users", none)
	}
}

// The RequestAuthentication of docs/from-istio.md is a good one.
func TestDocumentedUsers(t *testing.T) {
	document, err := os.ReadFile("../../docs/from-istio.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(
		string(document),
		"```text\napiVersion: security.istio.io/v1\nkind: RequestAuthentication",
	)
	text, _, closed := strings.Cut(rest, "```")
	rules, err := istio.UserRules(orders(), "apiVersion: security.istio.io/v1\nkind: RequestAuthentication"+text)
	if !found || !closed || err != nil || len(rules) != 1 || rules[0].Issuer != "https://login.shop.example" {
		t.Errorf("%v, %v", rules, err)
	}
}
