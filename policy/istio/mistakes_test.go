package istio_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/parley-rpc/parley/policy/istio"
)

const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\n"

// TestMistakes looks at what is wrong with each file of testdata/mistakes.yaml.
func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Name, Spec, Text, Want string }
	if err := yaml.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	cases = append(cases, struct{ Name, Spec, Text, Want string }{
		Name: "no UTF-8", Text: "a: \"\xff\"\n", Want: "mesh.yaml: the file is not UTF-8; save it as UTF-8",
	})
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			text := test.Text
			if test.Spec != "" {
				text = head + test.Spec
			}
			_, _, err := istio.Parse(orders(), text)
			if err == nil || err.Error() != test.Want {
				t.Errorf("got\n%v\nwant\n%s", err, test.Want)
			}
			if _, ok := errors.AsType[*istio.Mistake](err); !ok {
				t.Errorf("%v is no Mistake", err)
			}
		})
	}
}

// All mistakes of a file are reported at once, in the order in which they stand.
func TestAllMistakes(t *testing.T) {
	text := strings.ReplaceAll(head, "name: p,", "name: a,") + "spec: {acton: DENY}\n---\n" +
		strings.ReplaceAll(head, "name: p,", "name: b,") + "spec: {rules: [{form: []}]}\n---\n" +
		"kind: [\n"
	_, _, err := istio.Parse(orders(), text)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, e := range joined.Unwrap() {
		if m, ok := errors.AsType[*istio.Mistake](e); ok {
			lines = append(lines, m.Line)
		}
	}
	slices.Sort(lines)
	if want := []int{4, 9, 11}; !slices.Equal(lines, want) {
		t.Errorf("mistakes at lines %v, want %v:\n%v", lines, want, err)
	}
}

// TestRefused looks at what is good Istio, and cannot be enforced here.
func TestRefused(t *testing.T) {
	strict := orders()
	strict.NoProxies = false
	rule := func(rule string) string { return head + "spec: {rules: [" + rule + "]}\n" }
	when := func(key string) string { return rule("{when: [{key: \"" + key + "\", values: [a]}]}") }
	for _, test := range []struct {
		name, text string
		workload   istio.Workload
		says       string // in the mistake
	}{
		{
			"CUSTOM", head + "spec: {action: CUSTOM, provider: {name: opa}, rules: [{}]}\n", orders(),
			"the action CUSTOM asks a service outside",
		},
		{"the SNI", when("connection.sni"), orders(), "the server name of the TLS handshake"},
		{"a filter of Envoy's", when("experimental.envoy.filters.network.mysql[a]"), orders(), "there is no Envoy"},
		{"inline headers", when("request.experimental.inline.headers[a]"), orders(), "an experiment of Istio's"},
		{"remote.ip", rule("{when: [{key: remote.ip, values: [10.0.0.1]}]}"), strict, "set Workload.NoProxies"},
		{"remoteIpBlocks", rule("{from: [{source: {remoteIpBlocks: [10.0.0.1]}}]}"), strict, "set Workload.NoProxies"},
		{"notRemoteIpBlocks", rule("{from: [{source: {notRemoteIpBlocks: [10.0.0.1]}}]}"), strict, "set Workload.NoProxies"},
		{"the authorization header", when("request.headers[Authorization]"), orders(), "credentials are taken out"},
		{"the user's token", when("request.headers[parley-user-token]"), orders(), "credentials are taken out"},
		{"x-forwarded-for", when("request.headers[x-forwarded-for]"), orders(), "the sidecar wrote or checked"},
		{"a certificate", when("request.headers[X-Forwarded-Client-Cert]"), orders(), "the sidecar wrote or checked"},
		{"binary metadata", when("request.headers[trace-bin]"), orders(), "gRPC decodes"},
		{"grpc-timeout", when("request.headers[grpc-timeout]"), orders(), "gRPC keeps this header"},
		{"the scheme", when("request.headers[:scheme]"), orders(), "not known here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := istio.Parse(test.workload, test.text)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "mesh.yaml:4:") {
				t.Errorf("got %v, want %q", err, test.says)
			}
			for name, text := range map[string]string{
				"for another workload": strings.Replace(test.text, "namespace: shop", "namespace: dev", 1),
				"on trial":             tried(test.text),
			} {
				layers, notes, err := istio.Parse(test.workload, text)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if name == "on trial" && (len(notes) != 1 || !strings.Contains(notes[0].Text, test.says)) {
					t.Errorf("%s: the notes are %v", name, notes)
				}
				if len(guardsOf(t, layers)) != 0 {
					t.Errorf("%s: it is enforced", name)
				}
			}
		})
	}
}

func TestWorkloadMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		w    istio.Workload
		says string
	}{
		"no namespace":               {istio.Workload{}, "Workload.Namespace is empty"},
		"a namespace that cannot be": {istio.Workload{Namespace: "Shop"}, "Workload.Namespace: \"Shop\" is no namespace"},
		"a root that cannot be": {
			istio.Workload{Namespace: "shop", RootNamespace: "istio_system"}, "Workload.RootNamespace: \"istio_system\"",
		},
		"a default that cannot be": {
			istio.Workload{Namespace: "shop", DefaultNamespace: "shop "}, "Workload.DefaultNamespace: \"shop \"",
		},
		"a bad alias": {
			istio.Workload{Namespace: "shop", TrustDomainAliases: []string{"Old"}}, "Workload.TrustDomainAliases",
		},
	} {
		if _, err := istio.Dir(t.TempDir(), test.w).Read(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
