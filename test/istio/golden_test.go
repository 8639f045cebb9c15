package istio_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	securityv1 "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/security/authz/builder"
)

// istioFolder is where the module of Istio lies, with the files of its own tests.
func istioFolder(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// readDocuments reads the AuthorizationPolicies of a file of Istio's tests.
func readDocuments(t *testing.T, path string) []document {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var documents []document
	for decoder := yaml.NewDecoder(file); ; {
		var object struct {
			Kind     string
			Metadata struct {
				Name, Namespace string
				Annotations     map[string]string
			}
			Spec map[string]any
		}
		err := decoder.Decode(&object)
		switch {
		case errors.Is(err, io.EOF):
			return documents
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		case object.Kind != "AuthorizationPolicy":
			continue
		}
		spec, err := json.Marshal(object.Spec)
		if err != nil {
			t.Fatal(err)
		}
		d := document{
			namespace: object.Metadata.Namespace, name: object.Metadata.Name, annotations: object.Metadata.Annotations,
			spec: &securityv1.AuthorizationPolicy{},
		}
		if d.namespace == "" {
			d.namespace = "foo"
		}
		if err := protojson.Unmarshal(spec, d.spec); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		documents = append(documents, d)
	}
}

// meshes are those of Istio's tests of the files.
func meshes(folder string) []mesh {
	of := func(domain string, aliases ...string) mesh {
		return mesh{
			domain: domain, aliases: aliases, namespace: "foo",
			labels: map[string]string{"app": "httpbin", "version": "v1"}, folder: folder,
		}
	}
	return []mesh{
		of("cluster.local"), of("td1", "cluster.local"), of("td1", "cluster.local", "some-td"), of("td1", "foobar"),
		of("new-td", "old-td", "some-trustdomain"),
	}
}

// refusedKeys are the conditions that have no answer here, and what the refusal says.
func refusedKeys() map[string]string {
	return map[string]string{
		"connection.sni":                    "the server name of the TLS handshake is the sidecars' own",
		"experimental.envoy.filters.a.b[c]": "there is no Envoy whose filters could be asked",
		"a namespace":                       "is no namespace", // with brackets in its name
	}
}

// answerable takes out the conditions that are refused and the brackets in the names of namespaces, and returns their
// keys.
func answerable(documents []document) (keys []string) {
	refused := refusedKeys()
	for _, d := range documents {
		for _, rule := range d.spec.GetRules() {
			for _, from := range rule.GetFrom() {
				s := from.GetSource()
				for _, names := range [][]string{s.GetNamespaces(), s.GetNotNamespaces()} {
					for i, name := range names {
						if names[i] = strings.NewReplacer("[", "", "]", "").Replace(name); names[i] != name {
							keys = append(keys, "a namespace")
						}
					}
				}
			}
			rule.When = slices.DeleteFunc(rule.GetWhen(), func(w *securityv1.Condition) bool {
				_, ok := refused[w.GetKey()]
				if ok && d.spec.GetAction() != securityv1.AuthorizationPolicy_AUDIT { // which is only left out
					keys = append(keys, w.GetKey())
				}
				return ok
			})
		}
	}
	return keys
}

// TestGolden compares over the inputs of Istio's own tests of its translation, and over random parts of them. What is
// refused is refused by name, and then taken out.
func TestGolden(t *testing.T) {
	const partsEach, callsEach = 60, 30
	module := istioFolder(t)
	var paths []string
	for _, pattern := range []string{
		"pilot/pkg/security/authz/builder/testdata/http/*-in.yaml",
		"pilot/pkg/security/authz/builder/testdata/tcp/*-in.yaml",
		"pkg/config/validation/testdata/crds/authz-valid.yaml",
	} {
		found, err := filepath.Glob(filepath.Join(module, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("there is no %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	r := random{rand.New(rand.NewPCG(8, 15))}
	c := &comparison{differences: map[string]int{}}
	custom, refused := 0, 0
	for _, path := range paths {
		for _, m := range meshes(t.TempDir()) {
			documents := readDocuments(t, path)
			for _, d := range documents {
				if err := d.refusedByIstio(); err != nil {
					t.Errorf("%s: Istio refuses its own input: %v", path, err)
				}
			}
			_, err := m.enforce(t, documents)
			if slices.ContainsFunc(documents, isCustom) {
				if custom++; err == nil || !strings.Contains(err.Error(), "the action CUSTOM asks a service outside") {
					t.Errorf("%s: CUSTOM is not refused: %v", path, err)
				}
				documents = slices.DeleteFunc(documents, isCustom)
			}
			for _, key := range answerable(documents) {
				if refused++; err == nil || !strings.Contains(err.Error(), refusedKeys()[key]) {
					t.Errorf("%s: %s is not refused: %v", path, key, err)
				}
			}
			for i := range partsEach {
				part := documents
				if i > 0 {
					part = r.part(documents)
				}
				filters, err := m.translate(part, builder.Option{})
				if err != nil {
					t.Fatalf("%s: %v\n%s", path, err, textOf(part))
				}
				ours, err := m.enforce(t, part)
				if err != nil {
					t.Fatalf("%s: %v\n%s", path, err, textOf(part))
				}
				calls := make([]call, callsEach)
				for i := range calls {
					calls[i] = r.call(part)
				}
				c.calls(t, part, ours, filters, calls)
			}
		}
	}
	t.Logf("%d files; refused by name: %d conditions, %d files with CUSTOM; %v", len(paths), refused, custom, c)
	if custom == 0 || refused == 0 {
		t.Error("nothing was refused by name: the files are not those that they were")
	}
}

func isCustom(d document) bool { return d.spec.GetAction() == securityv1.AuthorizationPolicy_CUSTOM }

// part leaves out some of what policies state: rules, entries, conditions and values.
func (r random) part(documents []document) []document {
	var parts []document
	for _, d := range documents {
		d.spec = proto.CloneOf(d.spec)
		for _, rule := range d.spec.GetRules() {
			for _, from := range rule.GetFrom() {
				s := from.GetSource()
				r.thin(&s.Principals, &s.NotPrincipals, &s.RequestPrincipals, &s.NotRequestPrincipals, &s.Namespaces,
					&s.NotNamespaces, &s.ServiceAccounts, &s.NotServiceAccounts, &s.IpBlocks, &s.NotIpBlocks, &s.RemoteIpBlocks,
					&s.NotRemoteIpBlocks, &s.TrustDomains, &s.NotTrustDomains)
			}
			for _, to := range rule.GetTo() {
				o := to.GetOperation()
				r.thin(&o.Hosts, &o.NotHosts, &o.Methods, &o.NotMethods, &o.Paths, &o.NotPaths, &o.Ports, &o.NotPorts)
			}
			for _, w := range rule.GetWhen() {
				r.thin(&w.Values, &w.NotValues)
			}
			rule.From = slices.DeleteFunc(rule.GetFrom(), func(f *securityv1.Rule_From) bool {
				return len(listsOfSource(f.GetSource())) == 0
			})
			rule.To = slices.DeleteFunc(rule.GetTo(), func(to *securityv1.Rule_To) bool {
				return len(listsOfOperation(to.GetOperation())) == 0
			})
			rule.When = slices.DeleteFunc(rule.GetWhen(), func(w *securityv1.Condition) bool {
				return len(w.GetValues())+len(w.GetNotValues()) == 0 || r.IntN(3) > 0
			})
		}
		if d.spec.GetAction() == securityv1.AuthorizationPolicy_DENY || r.IntN(4) > 0 {
			parts = append(parts, d)
		}
	}
	return parts
}

// thin leaves few of the lists, and few of their values.
func (r random) thin(lists ...*[]string) {
	for _, l := range lists {
		*l = slices.DeleteFunc(*l, func(string) bool { return r.IntN(2) == 0 })
		if len(lists) > 2 && r.IntN(4) > 0 {
			*l = nil
		}
	}
}
