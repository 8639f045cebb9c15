package trustdir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// places are the directories and files whose owner and mode count: the root of the state, everything in it that leads
// to an entry, and what lies above.
func places(entry string) []string {
	return []string{"..", ".", "trust", filepath.Dir(entry), "revoked"}
}

func TestNoOtherUserMayWrite(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o720, 0o702, 0o777} {
		for i := range 5 {
			s := newState(t)
			nested := &state{t: t, dir: filepath.Join(s.dir, "above", "state")}
			nested.mkdir("revoked", 0o700)
			place := places(nested.put(orders, newKey(t)))[i]
			nested.checked()

			nested.chmod(place, mode)
			path := nested.path(place)
			err := nested.open().Check()
			var at *safepath.Error
			if !errors.As(err, &at) || at.Path != path || at.Remedy != "run: chmod go-w "+path ||
				!strings.Contains(at.Problem, "write there") {
				t.Errorf("%s with mode %04o: %v", place, mode, err)
			}
		}
	}
}

func TestStickyAncestorIsNoDanger(t *testing.T) {
	s := newState(t)
	nested := &state{t: t, dir: filepath.Join(s.dir, "tmp", "state")}
	nested.put(orders, newKey(t))
	s.chmod("tmp", 0o777|fs.ModeSticky)
	if n := len(nested.checked().Entries()); n != 1 {
		t.Errorf("%d entries", n)
	}
	for _, place := range []string{".", "trust", "trust/shop"} {
		nested.chmod(place, 0o777|fs.ModeSticky)
		if err := nested.open().Check(); err == nil {
			t.Errorf("sticky %s, in which any user may put a key, is believed", place)
		}
		nested.chmod(place, 0o700)
	}
}

func TestReadableByOthersIsFine(t *testing.T) {
	s := newState(t)
	s.chmod(s.put(orders, newKey(t)), 0o644)
	for _, place := range []string{"trust/shop", "trust", "."} {
		s.chmod(place, 0o755)
	}
	if n := len(s.checked().Entries()); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestDirectoryOfAnotherUser(t *testing.T) {
	const self, another = 1000, 1001
	for _, place := range []string{"..", ".", "trust", "trust/shop", "revoked"} {
		s := newState(t)
		nested := &state{t: t, dir: filepath.Join(s.dir, "above", "state")}
		nested.mkdir("revoked", 0o700)
		nested.put(orders, newKey(t))
		foreign, err := os.Stat(nested.path(place))
		s.must(err)
		d := nested.open()
		d.ActAs(self, func(info fs.FileInfo) (int, bool) {
			if os.SameFile(info, foreign) {
				return another, true
			}
			return self, true
		}, func(*os.File) bool { return false })
		err = d.Check()
		var at *safepath.Error
		if !errors.As(err, &at) || at.Path != nested.path(place) || !strings.Contains(at.Problem, "belongs to user 1001") ||
			at.Remedy != "run: chown 1000 "+at.Path {
			t.Errorf("%s belongs to another user: %v", place, err)
		}
		if len(d.Entries()) != 0 {
			t.Errorf("%s belongs to another user, and its keys are trusted", place)
		}
	}
}

// In a sticky directory any user may make a link, and point it elsewhere at any time.
func TestLinkOfAnotherUser(t *testing.T) {
	s := newState(t)
	nested := &state{t: t, dir: filepath.Join(s.dir, "real")}
	nested.put(orders, newKey(t))
	s.symlink("../real", "tmp/link")
	s.chmod("tmp", 0o777|fs.ModeSticky)
	for _, c := range []struct {
		owner    int
		readOnly bool
		good     bool
	}{{1000, false, true}, {0, false, true}, {1001, false, false}, {1001, true, true}} {
		d := trustdir.Open(s.path("tmp/link"), trustdir.Options{ValidID: validID})
		d.ActAs(1000, func(info fs.FileInfo) (int, bool) {
			if info.Mode().Type() == fs.ModeSymlink {
				return c.owner, true
			}
			return 1000, true
		}, func(*os.File) bool { return c.readOnly })
		if err := d.Check(); (err == nil) != c.good {
			t.Errorf("link of user %d, read-only %v: %v", c.owner, c.readOnly, err)
		}
	}
}

func TestAncestorThatCannotBeListedIsPassed(t *testing.T) {
	s := newState(t)
	nested := &state{t: t, dir: filepath.Join(s.dir, "home", "state")}
	nested.put(orders, newKey(t))
	s.chmod("home", 0o100)
	defer s.chmod("home", 0o700)
	if n := len(nested.checked().Entries()); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestUnknownOwnerIsRefused(t *testing.T) {
	s := newState(t)
	d := s.open()
	d.ActAs(0, func(fs.FileInfo) (int, bool) { return 0, false }, func(*os.File) bool { return false })
	if err := d.Check(); err == nil || !strings.Contains(err.Error(), "owner is unknown") {
		t.Errorf("err = %v", err)
	}
}

func TestReadOnlyMountIsTrusted(t *testing.T) {
	s := newState(t)
	s.chmod(s.put(orders, newKey(t)), 0o666)
	for _, place := range []string{"trust/shop", "trust", "."} {
		s.chmod(place, 0o777)
	}
	d := s.open()
	d.ActAs(1000, func(fs.FileInfo) (int, bool) { return 65534, true }, func(*os.File) bool { return true })
	s.must(d.Check())
	if n := len(d.Entries()); n != 1 {
		t.Errorf("%d entries, skipped %v", n, d.Skipped())
	}
}

func TestEntryThatOthersMayWriteIsSkipped(t *testing.T) {
	s := newState(t)
	bad, good := s.put(orders, newKey(t)), newKey(t)
	s.put(payments, good)
	s.chmod(bad, 0o620)
	s.skips(map[string]string{bad: "run: chmod go-w " + s.path(bad)})
	if entries := s.checked().Entries(); len(entries) != 1 || entries[0].ID != payments {
		t.Errorf("entries are %v", entries)
	}
}

func TestMissingDirectoryNamesTheRemedy(t *testing.T) {
	s := newState(t)
	s.remove("trust")
	for dir, want := range map[string]string{
		s.dir:            s.path("trust") + ": does not exist; name the directory that has trust/ in it, or publish a first key",
		s.path("absent"): s.path("absent") + ": does not exist; put it there, or correct the path",
		s.path("a/b"):    s.path("a") + ": does not exist; put it there, or correct the path",
		"":               `"": is no path`,
	} {
		d := trustdir.Open(dir, trustdir.Options{ValidID: validID})
		if err := d.Check(); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", dir, err, want)
		}
		if _, err := d.Lookup("x"); !errors.Is(err, trustdir.ErrUnavailable) {
			t.Errorf("%q: look-up says %v", dir, err)
		}
	}
	s.write("file", "")
	if err := trustdir.Open(s.path("file"), trustdir.Options{ValidID: validID}).Check(); err == nil {
		t.Error("a file is a directory")
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	s := newState(t)
	s.put(orders, newKey(t))
	s.put("spiffe://other/orders", newKey(t))
	s.mkdir("revoked", 0o777)
	s.chmod("trust/shop", 0o770)
	s.chmod("trust/other", 0o777)
	err := s.open().Check()
	for _, place := range []string{"trust/shop", "trust/other", "revoked"} {
		if err == nil || !strings.Contains(err.Error(), "run: chmod go-w "+s.path(place)) {
			t.Errorf("%s is not named: %v", place, err)
		}
	}
}
