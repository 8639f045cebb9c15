//go:build unix

package privatefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-rpc/parley/internal/privatefile"
)

func open(t *testing.T, folder string) *os.Root {
	t.Helper()
	root, err := privatefile.Make(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestReplaceIsReadAndLeavesNothingElse(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	root := open(t, folder)
	if _, err := privatefile.Read(root, "x", 9); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v; want fs.ErrNotExist", err)
	}
	for _, text := range []string{"one", "two"} {
		if err := privatefile.Replace(root, "x", []byte(text), true); err != nil {
			t.Fatal(err)
		}
		if got, err := privatefile.Read(root, "x", 3); err != nil || string(got) != text {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v; want the file alone", entries, err)
	}
	for path, want := range map[string]fs.FileMode{folder: 0o700, filepath.Join(folder, "x"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %04o", path, info.Mode(), err, want)
		}
	}
}

func TestWhatIsNotBelieved(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(folder string) error
		want string
	}{
		{"a file that others may read", func(folder string) error { return os.Chmod(filepath.Join(folder, "x"), 0o640) }, "run: chmod 600 "},
		{"a file that is too large", func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "x"), make([]byte, 100), 0o600)
		}, "larger than 9 bytes"},
		{"a link that leaves the folder", func(folder string) error {
			outside := filepath.Join(filepath.Dir(folder), "y")
			return errors.Join(os.Rename(filepath.Join(folder, "x"), outside), os.Symlink("../y", filepath.Join(folder, "x")))
		}, "escapes"},
		{"a pipe", func(folder string) error {
			return errors.Join(os.Remove(filepath.Join(folder, "x")), syscall.Mkfifo(filepath.Join(folder, "x"), 0o600))
		}, "no regular file"},
		{"a folder that the group may write", func(folder string) error { return os.Chmod(folder, 0o770) }, "run: chmod go-w "},
		{"a folder in one that all may write", func(folder string) error { return os.Chmod(filepath.Dir(folder), 0o777) }, "run: chmod go-w "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "a")
			if err := privatefile.Replace(open(t, folder), "x", []byte("text"), false); err != nil {
				t.Fatal(err)
			}
			if err := tt.do(folder); err != nil {
				t.Fatal(err)
			}
			root, err := privatefile.Open(folder)
			if err == nil {
				_, err = privatefile.Read(root, "x", 9)
				_ = root.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want it to say %q", err, tt.want)
			}
		})
	}
}

func TestOpenMakesNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a")
	if _, err := privatefile.Open(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a missing folder: %v; want fs.ErrNotExist", err)
	}
}

func TestAStickyFolderAboveWillDo(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a")
	open(t, folder)
	if err := os.Chmod(filepath.Dir(folder), 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	open(t, folder)
}
