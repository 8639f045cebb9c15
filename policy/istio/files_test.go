package istio_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/policy/istio"
)

const denyDev = head + "spec: {action: DENY, rules: [{from: [{source: {namespaces: [dev]}}]}]}\n"

// tried is a policy on trial.
func tried(text string) string {
	return strings.Replace(text, "namespace: shop", "namespace: shop, annotations: {istio.io/dry-run: \"true\"}", 1)
}

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to string, path ...string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// denies reports whether a content refuses callers of namespace dev, and no others.
func denies(t *testing.T, files *istio.Files) bool {
	t.Helper()
	content, err := files.Read()
	if err != nil {
		t.Fatal(err)
	}
	layers, _, err := files.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	if why := judge(t, layers, readCall(t, "shop/web")); why != nil {
		t.Errorf("shop/web is refused: %v", why)
	}
	return judge(t, layers, readCall(t, "dev/web")) != nil
}

// A folder is read at any depth, and as Kubernetes and git-sync mount it.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, denyDev, dir, "plain", "a", "b", "deny.yaml")
	write(t, "nothing: [", dir, "plain", "README.md")
	write(t, "nothing: [", dir, "plain", ".git", "x.yaml")
	write(t, denyDev, dir, "mounted", "..2026_11_30", "deny.yml")
	link(t, "..2026_11_30", dir, "mounted", "..data")
	link(t, "..data/deny.yml", dir, "mounted", "deny.yml")
	link(t, "plain", dir, "current")
	write(t, denyDev, dir, "hidden", ".d.yaml")
	write(t, denyDev, dir, "below", ".d", "deny.yaml")
	write(t, "nothing: [", dir, "below", "..d", "deny.yaml")
	write(t, "nothing: [", dir, "below", "..d.yaml")
	write(t, denyDev, dir, "one.yaml")
	for _, path := range []string{"plain", "mounted", "current", "hidden", "below", "one.yaml"} {
		if !denies(t, istio.Dir(filepath.Join(dir, path), orders())) {
			t.Errorf("%s: the policy is not read", path)
		}
	}
}

// What cannot be read whole is no mesh without policies.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, "x", dir, "empty", "README.md")
	write(t, "# comments\n---\n---\n", dir, "comments", "a.yaml")
	write(t, denyDev, dir, "linked", "deny.yaml")
	link(t, "../empty", dir, "linked", "more")
	link(t, "nowhere", dir, "comments2")
	write(t, strings.Repeat("#", 16<<20+1), dir, "large", "a.yaml")
	for path, says := range map[string]string{
		"missing":   "no such file or directory; put the files there",
		"empty":     "there is no file that ends in .yaml, .yml or .json",
		"comments":  "the files hold no document",
		"linked":    "this is a link to a folder, which is not followed",
		"comments2": "no such file or directory; put the files there",
		"large":     "the files have more than 16777216 bytes",
	} {
		files := istio.Dir(filepath.Join(dir, path), orders())
		content, err := files.Read()
		if err == nil {
			_, _, err = files.Parse(content)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}

// Two contents are equal exactly when names and files are.
func TestContent(t *testing.T) {
	dir := t.TempDir()
	files := istio.Dir(dir, orders())
	contents := map[string]string{}
	read := func(name string) {
		t.Helper()
		content, err := files.Read()
		again, errAgain := files.Read()
		if err != nil || errAgain != nil || !bytes.Equal(content, again) {
			t.Fatal(err, errAgain)
		}
		if other, ok := contents[string(content)]; ok {
			t.Errorf("%s reads as %s", name, other)
		}
		contents[string(content)] = name
	}
	write(t, denyDev, dir, "a.yaml")
	read("one file")
	write(t, "", dir, "b.yaml")
	read("an empty one beside it")
	write(t, "# b\n", dir, "b.yaml")
	read("a comment in it")
	if err := os.Rename(filepath.Join(dir, "b.yaml"), filepath.Join(dir, "c.yaml")); err != nil {
		t.Fatal(err)
	}
	read("another name")
	for content := range contents {
		if _, _, err := files.Parse([]byte(content[:len(content)-1])); err == nil {
			t.Error("a content that is cut is taken")
		}
	}
}

// TestDocuments reads what git repositories and kubectl have: files that deny callers of namespace dev.
func TestDocuments(t *testing.T) {
	names, err := filepath.Glob("testdata/documents/*")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	w := orders()
	w.DefaultNamespace = "shop"
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for variant, text := range map[string]string{
			"":          string(data),
			", CRLF":    strings.ReplaceAll(string(data), "\n", "\r\n"),
			", BOM":     "\ufeff" + string(data),
			", no line": strings.TrimSuffix(string(data), "\n"),
		} {
			t.Run(filepath.Base(name)+variant, func(t *testing.T) {
				layers, notes, err := istio.Parse(w, text)
				if err != nil || len(notes) > 0 {
					t.Fatal(err, notes)
				}
				if judge(t, layers, readCall(t, "dev/web")) == nil {
					t.Error("dev/web passes")
				}
				if why := judge(t, layers, readCall(t, "shop/web")); why != nil {
					t.Errorf("shop/web is refused: %v", why)
				}
			})
		}
	}
}

// An alias that repeats itself, and one of many that repeat each other, end in a mistake.
func TestEndlessAliases(t *testing.T) {
	bomb := head + "spec:\n  rules:\n  - from: &a\n    - source: {namespaces: &n [x" + strings.Repeat(", x", 999) + "]}\n"
	for range 200 {
		bomb += "    - source: {namespaces: *n}\n"
	}
	for name, test := range map[string]struct{ text, says string }{
		"endless": {head + "spec: &s\n  rules: &r [{<<: *s}]\n", "unknown key"},
		"itself":  {head + "spec: {rules: &r [{from: [{source: {namespaces: *r}}]}]}\n", "want a string"},
		"many":    {bomb, "the document has more than 100000 values"},
		"merged":  {head + "spec: &s {<<: *s, action: DENY}\n", ""},
	} {
		_, _, err := istio.Parse(orders(), test.text)
		if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

// What is not enforced is noted by its place.
func TestNotes(t *testing.T) {
	text := strings.Join([]string{
		"apiVersion: networking.istio.io/v1\nkind: EnvoyFilter\nmetadata: {name: f, namespace: shop}\n",
		strings.Replace(head, "name: p,", "name: audit,", 1) + "spec: {action: AUDIT, rules: [{}]}\n",
		strings.Replace(head, "name: p,", "name: gate,", 1) +
			"spec:\n  targetRefs:\n  - {group: gateway.networking.k8s.io, kind: Gateway, name: ingress}\n",
		"apiVersion: apps/v1\nkind: Deployment\n",
	}, "---\n")
	_, notes, err := istio.Parse(orders(), text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range notes {
		got = append(got, n.String())
	}
	want := []string{
		"mesh.yaml:1 (document 1): EnvoyFilter: the kind EnvoyFilter is not read",
		"mesh.yaml:8 (document 2): AuthorizationPolicy shop/audit: the action AUDIT decides nothing; explanations show " +
			"which rules match",
		"mesh.yaml:15 (document 3): AuthorizationPolicy shop/gate: it is left to the gateway ingress; if that was a " +
			"waypoint of the workload, name it in Workload.Waypoints",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestUncounted looks at policies near the workload that do not count, each of which is noted, and at one that is far.
func TestUncounted(t *testing.T) {
	gateway := func(spec string) string { return "{targetRefs: [{group: gateway.networking.k8s.io, " + spec + "}]}" }
	deny := func(target string) string { return "{action: DENY, rules: [{}], " + target + "}" }
	for name, test := range map[string]struct{ kind, namespace, spec, want string }{
		"a label that is not stated": {
			"AuthorizationPolicy", "shop", deny("selector: {matchLabels: {app: orders, app.kubernetes.io/name: orders}}"),
			"5 (document 1): AuthorizationPolicy shop/p: does not count: the selector wants app.kubernetes.io/name=orders; " +
				"Workload.Labels has no such label",
		},
		"a label of another value, of the root namespace": {
			"AuthorizationPolicy", "istio-system", deny("selector: {matchLabels: {app: payments}}"),
			"5 (document 1): AuthorizationPolicy istio-system/p: does not count: the selector wants app=payments; " +
				"Workload.Labels has app=orders",
		},
		"a RequestAuthentication": {
			"RequestAuthentication", "shop", "{selector: {matchLabels: {tier: web}}}",
			"5 (document 1): RequestAuthentication shop/p: does not count: the selector wants tier=web; " +
				"Workload.Labels has no such label",
		},
		"a PeerAuthentication": {
			"PeerAuthentication", "shop", "{selector: {matchLabels: {tier: web}}, mtls: {mode: PERMISSIVE}}",
			"5 (document 1): PeerAuthentication shop/p: does not count: the selector wants tier=web; " +
				"Workload.Labels has no such label",
		},
		"another namespace": {
			"AuthorizationPolicy", "dev", deny("selector: {matchLabels: {app: payments}}"), "",
		},
		"another Service": {
			"AuthorizationPolicy", "shop", deny("targetRefs: [{kind: Service, name: orders-v2}]"),
			"5 (document 1): AuthorizationPolicy shop/p: does not count: Workload.Services has no orders-v2; if that Service " +
				"leads to the workload, name it there",
		},
		"a target of another namespace": {
			"AuthorizationPolicy", "shop", deny("targetRefs: [{kind: Service, name: orders, namespace: dev}]"),
			"5 (document 1): AuthorizationPolicy shop/p: does not count: Istio takes no target of another namespace than that " +
				"of the policy, and this one is in \"dev\"",
		},
		"a class outside of the root namespace": {
			"AuthorizationPolicy", "shop", gateway("kind: GatewayClass, name: istio-waypoint"),
			"5 (document 1): AuthorizationPolicy shop/p: does not count: Istio takes a GatewayClass only in the root namespace",
		},
		"another class": {
			"AuthorizationPolicy", "istio-system", gateway("kind: GatewayClass, name: istio"),
			"5 (document 1): AuthorizationPolicy istio-system/p: it is left to the GatewayClass istio, which is not this " +
				"workload",
		},
		"a gateway of the root namespace": {
			"AuthorizationPolicy", "istio-system", gateway("kind: Gateway, name: ingress"),
			"5 (document 1): AuthorizationPolicy istio-system/p: it is left to the Gateway ingress, which is not this workload",
		},
		"one target of two": {
			"AuthorizationPolicy", "shop", "{targetRefs: [{kind: Service, name: payments}, {kind: Service, name: orders}]}", "",
		},
	} {
		_, notes, err := istio.Parse(orders(), object(test.kind, test.namespace, "p", test.spec))
		var got []string
		for _, n := range notes {
			got = append(got, strings.TrimPrefix(n.String(), "mesh.yaml:"))
		}
		if err != nil || strings.Join(got, "\n") != test.want {
			t.Errorf("%s: got\n%s, %v\nwant\n%s", name, strings.Join(got, "\n"), err, test.want)
		}
	}
}

// A waypoint whose Gateway lies among the files need not be named.
func TestWaypointOfTheFiles(t *testing.T) {
	w := orders()
	w.Waypoints = nil
	policyOf := head + "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: way}]}\n"
	gateway := "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: way, namespace: shop}\n" +
		"spec: {gatewayClassName: istio-waypoint}\n"
	for text, want := range map[string]bool{policyOf: true, policyOf + gateway: false} {
		layers, _, err := istio.Parse(w, text)
		if err != nil {
			t.Fatal(err)
		}
		if passes := judge(t, layers, readCall(t, "shop/web")) == nil; passes != want {
			t.Errorf("passes: %v\n%s", passes, text)
		}
	}
}

// Where an ALLOW policy counts, or the workload says so, methods on which nothing else decides are decided.
func TestDecisions(t *testing.T) {
	byDefault := orders()
	byDefault.AllowByDefault = true
	for _, test := range []struct {
		name, text string
		workload   istio.Workload
		want       policy.Access
		source     string
	}{
		{"no policy", "{apiVersion: v1, kind: Namespace}", orders(), policy.AccessUnspecified, "not stated"},
		{"DENY", denyDev, orders(), policy.AccessUnspecified, "not stated"},
		{"ALLOW", head, orders(), policy.AccessAuthenticated, "file mesh.yaml:1 (document 1)"},
		{"ALLOW on trial", tried(head), orders(), policy.AccessUnspecified, "not stated"},
		{"as Istio does", denyDev, byDefault, policy.AccessAuthenticated, "code istio.Workload.AllowByDefault"},
	} {
		layers, _, err := istio.Parse(test.workload, test.text)
		if err != nil {
			t.Fatal(err)
		}
		table, err := policy.New(layers...)
		if err != nil {
			t.Fatal(err)
		}
		m, err := table.Method("/grpc.health.v1.Health/Check")
		if err != nil || !m.Described {
			t.Fatal(m, err)
		}
		if m.Auth.Access.Value != test.want || m.Auth.Access.Source.String() != test.source {
			t.Errorf("%s: access %v (%v)", test.name, m.Auth.Access.Value, m.Auth.Access.Source)
		}
	}
}

// A file that is missing, emptied or cut off loses policies; one that was changed, or whose policies moved, does not.
func TestLost(t *testing.T) {
	const (
		dev  = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: dev, namespace: shop}\n"
		deny = dev + "spec:\n  action: DENY\n  rules:\n  - from:\n    - source: {namespaces: [dev]}\n"
		more = "    - source: {namespaces: [test]}\n"
		last = "---\n" + "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n" +
			"metadata: {name: staging, namespace: shop}\nspec: {action: DENY, rules: [{}]}\n"
		none = "apiVersion: v1\nkind: List\nitems: []\n"
	)
	type folder map[string]string
	for name, test := range map[string]struct {
		before, after folder
		says          []string
	}{
		"missing": {
			folder{"a.yaml": deny, "b.yaml": none},
			folder{"b.yaml": none},
			[]string{"a.yaml: the file is missing", "AuthorizationPolicy shop/dev"},
		},
		"emptied":       {folder{"a.yaml": deny}, folder{"a.yaml": "\n"}, []string{"a.yaml: the file is empty"}},
		"comments left": {folder{"a.yaml": deny}, folder{"a.yaml": "# gone\n---\n"}, []string{"a.yaml: the file is empty"}},
		"cut behind a document": {
			folder{"a.yaml": deny + last},
			folder{"a.yaml": deny},
			[]string{"a.yaml: the file is cut off", "AuthorizationPolicy shop/staging"},
		},
		"cut in a document": {
			folder{"a.yaml": deny + more},
			folder{"a.yaml": deny},
			[]string{"a.yaml: the file is cut off", "AuthorizationPolicy shop/dev"},
		},
		"two files": {
			folder{"a.yaml": deny, "b.yaml": last, "c.yaml": none},
			folder{"c.yaml": none},
			[]string{"a.yaml: the file is missing", "b.yaml: the file is missing"},
		},
		"another name":         {folder{"a.yaml": deny}, folder{"b.yaml": deny}, nil},
		"moved":                {folder{"a.yaml": deny + last}, folder{"a.yaml": deny, "b.yaml": last}, nil},
		"removed on purpose":   {folder{"a.yaml": deny + last}, folder{"a.yaml": last}, nil},
		"replaced by nothing":  {folder{"a.yaml": deny}, folder{"a.yaml": none}, nil},
		"nothing is removed":   {folder{"a.yaml": deny, "b.yaml": none}, folder{"a.yaml": deny}, nil},
		"a comment is removed": {folder{"a.yaml": deny + "# the end\n"}, folder{"a.yaml": deny}, nil},
		"changed":              {folder{"a.yaml": deny}, folder{"a.yaml": strings.ReplaceAll(deny, "dev]", "qa]")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := istio.Dir(dir, orders())
			read := func(texts folder) []byte {
				t.Helper()
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				for name, text := range texts {
					write(t, text, dir, name)
				}
				content, err := files.Read()
				if err != nil {
					t.Fatal(err)
				}
				return content
			}
			before := read(test.before)
			if _, _, err := files.Parse(before); err != nil {
				t.Fatal(err)
			}
			err := files.Lost(before, read(test.after))
			if len(test.says) == 0 && err != nil {
				t.Error(err)
			}
			for _, says := range test.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want %q", err, says)
				}
			}
		})
	}
}
