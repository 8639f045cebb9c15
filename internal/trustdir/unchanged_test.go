package trustdir_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/trustdir"
)

// settled returns the directory as if everything in it were an hour old, so that nothing that is unchanged is read
// again.
func (s *state) settled() *trustdir.Directory {
	s.t.Helper()
	d := s.open()
	d.Clock(func() time.Time { return time.Now().Add(time.Hour) })
	s.must(d.Check())
	return d
}

// An unchanged file is not read again, and every kind of change is noticed.
func TestEveryChangeIsNoticedBesideUnchangedFiles(t *testing.T) {
	for name, change := range map[string]func(s *state, entry string){
		"removed":          func(s *state, entry string) { s.remove(entry) },
		"moved away":       func(s *state, entry string) { s.rename(entry, "elsewhere") },
		"emptied in place": func(s *state, entry string) { s.must(os.Truncate(s.path(entry), 0)) },
		"written in place": func(s *state, entry string) { s.write(entry, "{") },
		"open to others":   func(s *state, entry string) { s.chmod(entry, 0o666) },
		"replaced":         func(s *state, entry string) { s.write("new", "{"); s.rename("new", entry) },
		"folder renamed":   func(s *state, _ string) { s.rename("trust/shop", "trust/.old") },
		"folder exchanged": func(s *state, _ string) {
			s.rename("trust/shop", "trust/.old")
			s.mkdir("trust/shop", 0o700)
		},
		"all exchanged":         func(s *state, _ string) { s.rename("trust", "old"); s.mkdir("trust/shop", 0o700) },
		"revoked":               func(s *state, entry string) { s.write("revoked/"+entry[len(entry)-48:len(entry)-5], "") },
		"a folder in its place": func(s *state, entry string) { s.remove(entry); s.mkdir(entry, 0o700) },
		"a link in its place":   func(s *state, entry string) { s.remove(entry); s.symlink("nowhere", entry) },
		"its time put back": func(s *state, entry string) {
			s.write(entry, "{")
			s.must(os.Chtimes(s.path(entry), time.Unix(1, 0), time.Unix(1, 0)))
		},
		"a key of another too": func(s *state, _ string) {
			s.put(payments, s.checked().Entries()[0].Key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(t)
			key := newKey(t)
			entry := s.put(orders, key)
			d := s.settled()
			s.must(d.Check())
			change(s, entry)
			_ = d.Check()
			if d.Current(key.Thumbprint()) {
				t.Error("not noticed by the next reading")
			}
		})
	}
}

// Files behind links are compared, too, in whatever directory they lie.
func TestChangeBehindALinkIsNoticed(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	entry := fileOf(t, orders, key)
	s.write("trust/.store/x", textOf(t, orders, key))
	s.symlink("../.store/x", entry)
	d := s.settled()
	if !d.Current(key.Thumbprint()) {
		t.Fatal(d.Skipped())
	}
	s.write("trust/.store/x", "{")
	s.must(d.Check())
	if d.Current(key.Thumbprint()) {
		t.Error("not noticed by the next reading")
	}
}

// In a large directory files take turns, so that a change in place is noticed after a bounded number of readings,
// wherever it is.
func TestChangeInPlaceInALargeDirectory(t *testing.T) {
	s := newState(t)
	const domains, each = 3, trustdir.CheckedFiles
	key := newKey(t)
	text := textOf(t, orders, key)
	for domain := range domains {
		for i := range each {
			s.write(fmt.Sprintf("trust/d%d/f%04d.json", domain, i), text) // each is skipped, and costs the same
		}
	}
	last := fmt.Sprintf("trust/d%d/f%04d.json", domains-1, each-1)
	d := s.settled()
	s.write(last, "{")
	s.must(os.Chmod(s.path(last), 0o666))
	for readings := 1; ; readings++ {
		s.must(d.Check())
		noticed := false
		for _, skipped := range d.Skipped() {
			noticed = noticed || skipped.Path == s.path(last) && skipped.Err.Error() != d.Skipped()[0].Err.Error()
		}
		if noticed {
			return
		}
		if readings > domains {
			t.Fatalf("not noticed in %d readings", readings)
		}
	}
}
