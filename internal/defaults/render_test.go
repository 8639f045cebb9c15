package defaults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/defaults"
)

// TestTableIsFresh keeps docs/defaults.md equal to the code.
func TestTableIsFresh(t *testing.T) {
	root, err := defaults.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := defaults.Render(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(defaults.Path)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale or missing (%v); run %s and commit the file", defaults.Path, err, defaults.Command)
	}
}

// module writes files into a folder that is the root of a module.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module example.org/m\n"
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRender(t *testing.T) {
	root := module(t, map[string]string{
		"b/defaults.go": `package b

import (
	"net/http"
	"time"

	"example.org/m/a"
)

// What the group says is not what a constant says.
const (
	// How long a call may take.
	timeout = 250 * time.Millisecond
	// How long a
	// connection lives.
	age = 30 * time.Minute
	// A day.
	day = 24 * time.Hour
	// Odd is a time that
	// is not round.
	Odd = day + 90*time.Minute + time.Second
	// Nothing.
	zero time.Duration = 0
	// typed is converted.
	typed = time.Duration(3) * unit
	// The largest message, in bytes.
	largest = 4 << 20
	// What a frame may hold.
	frameBytes = 32 << 10
	// The most bytes of a name.
	name = 255
	// How many calls.
	calls = 1_000_000
	// A share.
	share = 0.1
	// A large budget.
	budget = 1e6
	// A word | a sign.
	word = "round_robin"
	// Whether.
	on, off = true, !on
	one  = 1 // One behind.
)

// Single stands alone.
const Single = -3 * (calls - 999_990) % 7

func helper() http.Handler { return a.Thing }
`,
		"b/other.go":               "package b\n\nimport \"time\"\n\nconst unit = time.Microsecond\n",
		"b/b_test.go":              "package b_test\n\nthis is not read",
		"a/defaults.go":            "package a\n\nconst (\n\t// First.\n\tfirst = iota + 1\n\t// Second.\n\tsecond\n)\n",
		"nested/go.mod":            "module example.org/nested\n",
		"nested/c/defaults.go":     "package c\n\nconst bad = 1\n",
		"a/testdata/d/defaults.go": "package d\n\nconst bad = 1\n",
		".hidden/defaults.go":      "package hidden\n\nconst bad = 1\n",
	})
	got, err := defaults.Render(root)
	if err != nil {
		t.Fatal(err)
	}
	want := "|---|---|---|---|\n" +
		"| a | `first` | 1 | First. |\n" +
		"| a | `second` | 2 | Second. |\n" +
		"| b | `timeout` | 250ms | How long a call may take. |\n" +
		"| b | `age` | 30m | How long a connection lives. |\n" +
		"| b | `day` | 24h | A day. |\n" +
		"| b | `Odd` | 25h30m1s | A time that is not round. |\n" +
		"| b | `zero` | 0s | Nothing. |\n" +
		"| b | `typed` | 3µs | Converted. |\n" +
		"| b | `largest` | 4 MiB | The largest message, in bytes. |\n" +
		"| b | `frameBytes` | 32 KiB | What a frame may hold. |\n" +
		"| b | `name` | 255 B | The most bytes of a name. |\n" +
		"| b | `calls` | 1,000,000 | How many calls. |\n" +
		"| b | `share` | 0.1 | A share. |\n" +
		"| b | `budget` | 1,000,000 | A large budget. |\n" +
		"| b | `word` | `\"round_robin\"` | A word \\| a sign. |\n" +
		"| b | `on` | true | Whether. |\n" +
		"| b | `off` | false | Whether. |\n" +
		"| b | `one` | 1 | One behind. |\n" +
		"| b | `Single` | -2 | Stands alone. |\n"
	if _, table, _ := strings.Cut(string(got), "| package | name | value | meaning |\n"); table != want {
		t.Errorf("got\n%s\nwant\n%s", table, want)
	}
}

func TestRenderNamesEveryMistake(t *testing.T) {
	root := module(t, map[string]string{
		"a/defaults.go": "package a\n\nimport \"math\"\n\nconst (\n\tbare = 1\n\t// Unknown.\n\tfar = math.MaxInt8\n)\n",
		"b/defaults.go": "package b\n\nconst alone = 1\n",
	})
	_, err := defaults.Render(root)
	want := `a/defaults.go:6: bare has no comment; say in one sentence what it is
a/defaults.go:8: far has a value that cannot be read; make it of literals, the units of time and other constants of the package
b/defaults.go:3: alone has no comment; say in one sentence what it is`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestRenderRefusesWhatIsNoGo(t *testing.T) {
	root := module(t, map[string]string{"a/defaults.go": "package"})
	if _, err := defaults.Render(root); err == nil {
		t.Error("a file that is no Go was read")
	}
	if _, err := defaults.Render(filepath.Join(root, "missing")); err == nil {
		t.Error("a missing folder was read")
	}
}

func TestRoot(t *testing.T) {
	root := module(t, map[string]string{"a/b/x.go": "package b\n"})
	got, err := defaults.Root(filepath.Join(root, "a", "b"))
	if err != nil || got != root {
		t.Errorf("got %q, %v; want %q", got, err, root)
	}
	if _, err := defaults.Root(string(filepath.Separator)); err == nil {
		t.Error("the root of the file system belongs to a module")
	}
}
