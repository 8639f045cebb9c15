package trustdir_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/trustdir"
)

// Kubernetes writes a new version of a ConfigMap beside the old one and then exchanges the link ..data.
func TestConfigMap(t *testing.T) {
	s := newState(t)
	first, second := newKey(t), newKey(t)
	version := func(name, entry, text string) {
		s.write(filepath.Join("trust/shop", name, filepath.Base(entry)), text)
		s.symlink(filepath.Join("..data", filepath.Base(entry)), entry)
		s.symlink(name, "trust/shop/..new")
		s.rename("trust/shop/..new", "trust/shop/..data")
	}
	old := fileOf(t, orders, first)
	version("..2030_01", old, textOf(t, orders, first))
	d := s.checked()
	if !d.Current(first.Thumbprint()) || len(d.Skipped()) != 0 {
		t.Errorf("entries %v, skipped %v", d.Entries(), d.Skipped())
	}
	version("..2030_02", fileOf(t, orders, second), textOf(t, orders, second))
	s.remove(old)
	s.must(d.Check())
	if d.Current(first.Thumbprint()) || !d.Current(second.Thumbprint()) || len(d.Skipped()) != 0 {
		t.Errorf("entries %v, skipped %v", d.Entries(), d.Skipped())
	}
}

func TestLinkMustStayInside(t *testing.T) {
	key := newKey(t)
	outside := newState(t)
	entry := outside.put(orders, key)
	for name, target := range map[string]string{
		"absolute":                        outside.path(entry),
		"relative":                        "../../../" + filepath.Base(filepath.Dir(outside.dir)) + "/" + filepath.Base(outside.dir) + "/" + entry,
		"out and in again":                "../../../" + strings.TrimPrefix(outside.dir, "/"),
		"to itself":                       filepath.Base(entry),
		"to nothing":                      "nowhere",
		"to a directory":                  ".",
		"through a file":                  filepath.Base(entry) + "/x",
		"to the root of the file system":  "/",
		"above the root, as in a jail":    strings.Repeat("../", 40) + strings.TrimPrefix(outside.path(entry), "/"),
		"absolute, though it ends inside": "SELF",
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(t)
			if target == "SELF" {
				s.write("elsewhere", textOf(t, orders, key))
				target = s.path("elsewhere")
			}
			s.symlink(target, entry)
			d := s.checked()
			if d.Current(key.Thumbprint()) || len(d.Skipped()) != 1 {
				t.Errorf("trusted %v, skipped %v", d.Entries(), d.Skipped())
			}
		})
	}
}

func TestLinkInsideIsFollowed(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	entry := fileOf(t, orders, key)
	s.write("trust/.store/deep/x", textOf(t, orders, key))
	s.symlink(".store", "trust/.alias")
	s.symlink("../.alias/./deep/../deep/x", entry)
	if d := s.checked(); !d.Current(key.Thumbprint()) {
		t.Errorf("skipped %v", d.Skipped())
	}
	s.chmod("trust/.store/deep", 0o770)
	s.skips(map[string]string{entry: "group or others may write there"})
}

func TestLinkedFolders(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	s.put(orders, key)
	s.rename("trust/shop", "store")
	s.symlink("../store", "trust/shop")
	s.mkdir("revocations", 0o700)
	s.symlink("revocations", "revoked")
	if !s.checked().Current(key.Thumbprint()) {
		t.Error("not found through linked folders")
	}
	link := s.path("link")
	s.symlink(s.dir, "link")
	d := trustdir.Open(link, trustdir.Options{ValidID: validID})
	s.must(d.Check())
	if !d.Current(key.Thumbprint()) {
		t.Error("not found through a link to the directory")
	}
	s.chmod("store", 0o777)
	if err := s.open().Check(); err == nil {
		t.Error("a linked folder that any user may write to is believed")
	}
	s.chmod("store", 0o700)
	s.remove("trust/shop")
	s.symlink(t.TempDir(), "trust/shop")
	if err := s.open().Check(); err == nil || !strings.Contains(err.Error(), "leaves") {
		t.Errorf("a folder outside: %v", err)
	}
}

func TestPipeDoesNotHoldTheReaderUp(t *testing.T) {
	s := newState(t)
	entry := fileOf(t, orders, newKey(t))
	s.mkdir(filepath.Dir(entry), 0o700)
	s.must(syscall.Mkfifo(s.path(entry), 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.skips(map[string]string{entry: "is no regular file"})
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the reader waits for a writer of the pipe")
	}
}

// While a ConfigMap is exchanged, the link revoked/ leads nowhere for a moment. Revoked keys stay revoked.
func TestLinkToRevokedThatLeadsNowhere59(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	s.put(orders, key)
	s.write(filepath.Join("..2030_01/revoked", key.Thumbprint()), "")
	s.symlink("..2030_01/revoked", "revoked")
	d := s.checked()
	s.rename("..2030_01", "..2030_02")
	if err := d.Check(); err == nil {
		t.Error("the reading counts as a success")
	}
	if d.Current(key.Thumbprint()) {
		t.Error("a revoked key is trusted again")
	}
}
