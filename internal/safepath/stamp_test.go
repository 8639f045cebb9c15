//go:build linux

package safepath_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
)

func stampOf(t *testing.T, path string) safepath.Stamp {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return safepath.StampOf(info)
}

// A user can set the modification time of a file, and not its stamp.
func TestStampChangesWithTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	first := stampOf(t, path)
	if stampOf(t, path) != first {
		t.Error("an unchanged file has another stamp")
	}
	for name, change := range map[string]func() error{
		"mode":     func() error { return os.Chmod(path, 0o640) },
		"size":     func() error { return os.Truncate(path, 1) },
		"exchange": func() error { write("two"); return os.Rename(path, path+"2") },
	} {
		before := stampOf(t, path)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if name == "exchange" {
			write("two")
		}
		if stampOf(t, path) == before {
			t.Errorf("%s: the stamp is the same", name)
		}
	}
}

// A file that changed a moment ago may change again without another stamp. So its stamp proves nothing yet.
func TestStampSettles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stamp, now := stampOf(t, path), time.Now()
	const second = time.Second
	for age, want := range map[time.Duration]bool{0: false, 2 * second: false, 4 * second: true, -time.Hour: false} {
		if got := stamp.Settled(now.Add(age)); got != want {
			t.Errorf("after %v: settled %v, want %v", age, got, want)
		}
	}
	if (safepath.Stamp{}).Settled(now) {
		t.Error("no stamp is settled")
	}
}
