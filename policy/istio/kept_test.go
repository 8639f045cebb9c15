package istio_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy/istio"
)

const allowWeb = head + "spec: {rules: [{from: [{source: {serviceAccounts: [web]}}]}]}\n"

// A file that does not change is read once, and every kind of change is noticed.
func TestEveryChangeIsRead(t *testing.T) {
	named := func(text, name string) string { return strings.Replace(text, "name: p", "name: "+name, 1) }
	for name, change := range map[string]func(dir, file string) error{
		"written in place": func(_, file string) error { return os.WriteFile(file, []byte(allowWeb), 0o600) },
		"its time put back": func(_, file string) error {
			write(t, allowWeb, file)
			return os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0))
		},
		"replaced": func(dir, file string) error {
			write(t, allowWeb, dir, "new")
			return os.Rename(filepath.Join(dir, "new"), file)
		},
		"one more": func(dir, _ string) error {
			write(t, named(allowWeb, "q"), dir, "more.yaml")
			return nil
		},
		"one less": func(dir, _ string) error { return os.Remove(filepath.Join(dir, "other.yaml")) },
		"renamed":  func(dir, file string) error { return os.Rename(file, filepath.Join(dir, "renamed.yaml")) },
		"a link turned": func(dir, _ string) error {
			link(t, "..2", dir, "..new")
			return os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data"))
		},
		"behind a link": func(dir, _ string) error {
			write(t, named(allowWeb, "l"), dir, "..1", "linked.yaml")
			return nil
		},
		"another folder": func(dir, file string) error {
			err := os.Rename(dir, dir+"-old")
			write(t, allowWeb, file)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "mesh")
			file := filepath.Join(dir, "a.yaml")
			write(t, denyDev, file)
			write(t, named(denyDev, "o"), dir, "other.yaml")
			write(t, named(denyDev, "l"), dir, "..1", "linked.yaml")
			write(t, named(allowWeb, "l"), dir, "..2", "linked.yaml")
			link(t, "..1", dir, "..data")
			link(t, "..data/linked.yaml", dir, "linked.yaml")
			files := istio.Dir(dir, orders())
			files.Later()
			read := func(of *istio.Files) []byte {
				t.Helper()
				content, err := of.Read()
				if err != nil {
					t.Fatal(err)
				}
				return content
			}
			before := read(files)
			if again := read(files); &again[0] != &before[0] {
				t.Error("files that have not changed are read again")
			}
			if err := change(dir, file); err != nil {
				t.Fatal(err)
			}
			after := read(files)
			if bytes.Equal(before, after) || !bytes.Equal(after, read(istio.Dir(dir, orders()))) {
				t.Error("the change is not noticed")
			}
		})
	}
}

// What is kept of files that do not change means the same as if they were read again: decisions, notes, mistakes and
// places.
func TestKeptFilesMeanTheSame(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	for range rounds.Of(40) {
		dir := t.TempDir()
		kept := istio.Dir(dir, orders())
		for range 5 {
			for i := range 4 {
				name := fmt.Sprintf("%d.yaml", i)
				switch r.IntN(8) {
				case 0, 1: // with names that another file may have, too
					text := strings.Repeat("# moved\n", r.IntN(3)) + r.documents(t)
					write(t, strings.ReplaceAll(text, "name: p", fmt.Sprintf("name: p%d", r.IntN(8))), dir, name)
				case 2:
					write(t, "{apiVersion: v1, kind: Namespace}\n", dir, name)
				case 3:
					_ = os.Remove(filepath.Join(dir, name)) // which may not be there
				case 4:
					write(
						t,
						"{apiVersion: networking.istio.io/v1, kind: EnvoyFilter, metadata: {name: e, namespace: shop}}\n",
						dir,
						name,
					)
				}
			}
			fresh := istio.Dir(dir, orders())
			content, err := fresh.Read()
			if err != nil {
				continue // the folder is empty
			}
			layers, notes, err := kept.Parse(content)
			want, wantNotes, wantErr := fresh.Parse(content)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !slices.Equal(notes, wantNotes) {
				t.Fatalf("got %v, %v; want %v, %v", notes, err, wantNotes, wantErr)
			}
			if err != nil {
				continue
			}
			for range 10 {
				c := r.call(t)
				got, should := judge(t, layers, c), judge(t, want, c)
				if (got == nil) != (should == nil) || got != nil && *got != *should {
					t.Fatalf("%+v: got %v, want %v", c, got, should)
				}
			}
		}
	}
}
