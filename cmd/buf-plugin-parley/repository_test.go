package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A user's repository gets the schema in one of the ways that docs/policy.md names, and buf checks it with the plugin.
func TestRepositories(t *testing.T) {
	bin := t.TempDir()
	run(t, ".", "go", "build", "-o", filepath.Join(bin, "buf-plugin-parley"), ".")
	tools, buf := filepath.Join("..", "..", "tools", "buf"), filepath.Join(bin, "buf")
	run(t, tools, "go", "build", "-o", buf, "github.com/bufbuild/buf/cmd/buf")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("BUF_CACHE_DIR", t.TempDir())
	ours, err := filepath.Abs(filepath.Join("..", "..", "proto"))
	if err != nil {
		t.Fatal(err)
	}
	const workspace = "version: v2\nmodules:\n  - path: proto\n  - path: third_party\n" +
		"plugins:\n  - plugin: buf-plugin-parley\nlint:\n  use: [PARLEY]\nbreaking:\n  use: [PARLEY_BREAKING]\n"
	for name, bring := range map[string]func(t *testing.T, dir string){
		"buf export": func(t *testing.T, dir string) {
			t.Helper()
			run(t, dir, "buf", "export", ours, "--path", filepath.Join(ours, "parley", "policy"), "-o", "third_party")
		},
		"a copy of the file": func(t *testing.T, dir string) {
			t.Helper()
			data, err := os.ReadFile(filepath.Join(ours, "parley", "policy", "v1", "policy.proto"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "third_party", "parley", "policy", "v1", "policy.proto"), string(data))
		},
		"a workspace with Parley's folder": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.CopyFS(filepath.Join(dir, "third_party"), os.DirFS(ours)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "buf.yaml"), workspace)
			bring(t, dir)
			proto := filepath.Join(dir, "proto", "shop", "v1", "shop.proto")
			write(t, proto, service("", repeatable+method(decided)))
			run(t, dir, "buf", "lint", "proto")
			run(t, dir, "buf", "build", "proto", "-o", "before.binpb")

			write(t, proto, service("", method(`auth: {peers: ["orders", "billing"]}`)))
			for command, want := range map[string]string{
				"lint proto":                            "Get does not say whether it may be repeated",
				"breaking proto --against before.binpb": "auth.peers: billing may call now",
			} {
				want = "proto/shop/v1/shop.proto:7:1:" + want
				out, err := output(t, dir, "buf", strings.Fields(command)...)
				if err == nil || !strings.Contains(out, want) {
					t.Errorf("buf %s: error %v, output\n%s\nwant %s", command, err, out, want)
				}
			}
		})
	}
}

func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	if out, err := output(t, dir, program, args...); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

func output(t *testing.T, dir, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
