package trustdir_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestLoadOrCreateKey(t *testing.T) {
	s := newState(t)
	path := s.path("keys/shop/orders.jwk")
	made, err := trustdir.LoadOrCreateKey(path, jose.ES256)
	s.must(err)
	if made.Public().Algorithm() != jose.ES256 {
		t.Errorf("made %v", made)
	}
	for place, want := range map[string]os.FileMode{path: 0o600, s.path("keys"): 0o700, s.path("keys/shop"): 0o700} {
		info, err := os.Stat(place)
		s.must(err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", place, info.Mode().Perm(), want)
		}
	}
	again, err := trustdir.LoadOrCreateKey(path, jose.EdDSA)
	s.must(err)
	loaded, err := trustdir.LoadKey(path)
	s.must(err)
	if again.String() != made.String() || loaded.String() != made.String() {
		t.Errorf("made %v, then %v, then %v", made, again, loaded)
	}
}

func TestKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	s := newState(t)
	path := s.path("orders.jwk")
	_, err := trustdir.LoadOrCreateKey(path, jose.EdDSA)
	s.must(err)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620, 0o601} {
		s.must(os.Chmod(path, mode))
		for _, load := range []func() (*jose.PrivateKey, error){
			func() (*jose.PrivateKey, error) { return trustdir.LoadKey(path) },
			func() (*jose.PrivateKey, error) { return trustdir.LoadOrCreateKey(path, jose.EdDSA) },
		} {
			key, err := load()
			var at *safepath.Error
			if key != nil || !errors.As(err, &at) || at.Path != path || at.Remedy != "run: chmod 600 "+path {
				t.Errorf("mode %04o: %v, %v", mode, key, err)
			}
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		s.must(os.Chmod(path, mode))
		if _, err := trustdir.LoadKey(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

// Kubernetes gives a Secret to a group where the process is not root.
func TestMountedSecret(t *testing.T) {
	s := newState(t)
	path := s.path("orders.jwk")
	_, err := trustdir.LoadOrCreateKey(path, jose.EdDSA)
	s.must(err)
	root := func(fs.FileInfo) (int, bool) { return 0, true }
	for _, c := range []struct {
		mode     os.FileMode
		readOnly bool
		good     bool
	}{
		{0o440, true, true}, {0o400, true, true}, {0o440, false, false}, {0o444, true, false}, {0o644, true, false}, {0o460, true, false},
	} {
		s.must(os.Chmod(path, c.mode))
		key, err := trustdir.LoadKeyAs(path, 1000, root, func(*os.File) bool { return c.readOnly })
		if (err == nil) != c.good || (key != nil) != c.good {
			t.Errorf("mode %04o, read-only %v: %v, %v", c.mode, c.readOnly, key, err)
		}
		if c.readOnly && err != nil && !strings.Contains(err.Error(), "mount it with mode 0400") {
			t.Errorf("no remedy: %v", err)
		}
	}
}

func TestKeyFileOfSomebodyElse(t *testing.T) {
	s := newState(t)
	path := s.path("orders.jwk")
	_, err := trustdir.LoadOrCreateKey(path, jose.EdDSA)
	s.must(err)
	_, err = trustdir.LoadKeyAs(path, 1000, func(info fs.FileInfo) (int, bool) {
		if info.Mode().IsRegular() {
			return 1001, true
		}
		return 1000, true
	}, func(*os.File) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "chown 1000 "+path) {
		t.Errorf("err = %v", err)
	}
}

func TestBadKeyFile(t *testing.T) {
	s := newState(t)
	for name, text := range map[string]string{
		"empty": "", "public": textOf(t, orders, newKey(t)), "PEM": "-----BEGIN PRIVATE KEY-----", "large": strings.Repeat(" ", 17<<10), "text": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
	} {
		s.write(name, text)
		key, err := trustdir.LoadOrCreateKey(s.path(name), jose.EdDSA)
		var at *safepath.Error
		if key != nil || !errors.As(err, &at) || at.Path != s.path(name) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
		if err != nil && len(text) > 20 && strings.Contains(err.Error(), strings.TrimSpace(text)) && name != "large" {
			t.Errorf("%s: the error repeats the file: %v", name, err)
		}
	}
	if _, err := trustdir.LoadKey(s.path("trust")); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("directory: %v", err)
	}
	if _, err := trustdir.LoadKey(""); err == nil {
		t.Error("a key without a path")
	}
	for _, path := range []string{s.path("absent"), s.path("a/b/absent")} {
		_, err := trustdir.LoadKey(path)
		if !errors.Is(err, fs.ErrNotExist) ||
			!strings.HasPrefix(err.Error(), path+": there is no private key; write it there") {
			t.Errorf("absent: %v", err)
		}
	}
}

func TestKeyInAFolderThatOthersMayWriteTo(t *testing.T) {
	s := newState(t)
	s.mkdir("keys", 0o770)
	path := s.path("keys/orders.jwk")
	if _, err := trustdir.LoadOrCreateKey(path, jose.EdDSA); err == nil ||
		!strings.Contains(err.Error(), "chmod go-w "+s.path("keys")) {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was left there: %v", err)
	}
	s.chmod("keys", 0o777|fs.ModeSticky)
	if _, err := trustdir.LoadOrCreateKey(path, jose.EdDSA); err != nil {
		t.Errorf("sticky: %v", err)
	}
}

func TestLinkedKeyFile(t *testing.T) {
	s := newState(t)
	made, err := trustdir.LoadOrCreateKey(s.path("..data/orders.jwk"), jose.EdDSA)
	s.must(err)
	s.symlink("..data/orders.jwk", "orders.jwk")
	s.symlink(s.path("orders.jwk"), "again.jwk")
	key, err := trustdir.LoadKey(s.path("again.jwk"))
	s.must(err)
	if key.String() != made.String() {
		t.Errorf("%v is %v", made, key)
	}
	s.symlink("loop.jwk", "loop.jwk")
	if _, err := trustdir.LoadKey(s.path("loop.jwk")); err == nil ||
		!strings.Contains(err.Error(), "too many symbolic links") {
		t.Errorf("loop: %v", err)
	}
}
