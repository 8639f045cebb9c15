package discovery_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/discovery"
)

// remember lets a Registry see instances and leaves the file that it writes.
func remember(t *testing.T, path string, instances ...discovery.Instance) {
	t.Helper()
	s := newStage()
	r := discovery.New(s, discovery.WithLastKnownGood(path))
	_, cancel := subscribe(r, "payments")
	defer cancel()
	s.list(instances...)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStartDuringAnOutageUsesTheFile(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(s *stage)
		want []string
	}{
		{"an engine that fails", func(s *stage) { s.fail() }, []string{"0s [a b] failing"}},
		{"an engine that is silent", func(*stage) { time.Sleep(3 * time.Second) }, []string{"3s [a b] failing"}},
		{"an engine that answers is believed", func(s *stage) { s.list(one("c")) }, []string{"0s [c]"}},
		{"also when it lists nothing", func(s *stage) { s.list() }, []string{"0s []"}},
		{"once it is back its word counts", func(s *stage) {
			s.fail()
			time.Sleep(time.Minute)
			s.list(one("a"), one("c"))
		}, []string{"0s [a b] failing", "1m0s [a b]", "1m0.1s [a c]"}},
		{"unless it lists nothing yet", func(s *stage) {
			s.fail()
			time.Sleep(time.Minute)
			s.list()
		}, []string{"0s [a b] failing", "1m0s [a b] held"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "lists")
				remember(t, path, one("a"), one("b"))
				seen := time.Now()
				time.Sleep(time.Hour)
				s := newStage()
				told, cancel := subscribe(
					open(t, s, discovery.WithLastKnownGood(path), discovery.WithRandom(always(0))),
					"payments",
				)
				defer cancel()
				synctest.Wait()
				tt.act(s)
				time.Sleep(time.Second)
				synctest.Wait()
				told.want(t, tt.want...)
				if first := told.states[0]; first.Err != nil && !first.StaleSince.Equal(seen) {
					t.Errorf("stale since %v; want %v", first.StaleSince, seen)
				}
			})
		})
	}
}

func TestWhatIsNotGoodIsNotWritten(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(s *stage)
		want []string
	}{
		{"a list", func(s *stage) { s.list(one("a")) }, []string{"a"}},
		{"draining instances, which may be all that is left", func(s *stage) {
			in := one("a")
			in.Draining = true
			s.list(in, one("b"))
		}, []string{"a", "b"}},
		{"a held list does not replace the list in the file", func(s *stage) {
			s.list(one("a"), one("b"), one("c"))
			s.list(one("a"))
		}, []string{"a", "b", "c"}},
		{"a loss that is believed does", func(s *stage) {
			s.list(one("a"), one("b"), one("c"))
			s.list(one("a"))
			time.Sleep(time.Hour)
		}, []string{"a"}},
		{"nothing is kept of a service that is gone", func(s *stage) {
			s.list(one("a"))
			s.list()
			time.Sleep(time.Hour)
		}, nil},
		{"an outage changes nothing", func(s *stage) {
			s.list(one("a"))
			s.fail()
			time.Sleep(time.Hour)
		}, []string{"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "lists")
				s := newStage()
				r := discovery.New(s, discovery.WithLastKnownGood(path))
				_, cancel := subscribe(r, "payments")
				defer cancel()
				tt.act(s)
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if got := memorized(t, path); !slices.Equal(got, tt.want) {
					t.Errorf("the file has %v; want %v", got, tt.want)
				}
			})
		})
	}
}

// memorized returns the IDs in a file.
func memorized(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct{ Instances []discovery.Instance }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range file.Services["payments"].Instances {
		names = append(names, in.ID)
	}
	return names
}

func TestTheFileIsWrittenOnceASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "folder", "lists")
		s := newStage()
		_, cancel := subscribe(open(t, s, discovery.WithLastKnownGood(path)), "payments")
		defer cancel()
		written := 0
		var last fs.FileInfo
		for i := range 100 {
			s.list(one("a"), one(string(rune('b'+i%20))))
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if info, err := os.Stat(path); err == nil &&
				(last == nil || !os.SameFile(info, last) || !info.ModTime().Equal(last.ModTime())) {
				last = info
				written++
			}
		}
		if written < 9 || written > 11 {
			t.Errorf("written %d times in 10s of changes; want once a second", written)
		}
		if mode := last.Mode().Perm(); mode != 0o600 {
			t.Errorf("the file has mode %04o; want 0600", mode)
		}
	})
}

func TestFilesThatAreNotUsed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(path string) error
		want  string
	}{
		{"one that others may read", func(path string) error { return os.Chmod(path, 0o644) }, "run: chmod 600 "},
		{"a damaged one", func(path string) error { return os.Truncate(path, 50) }, "it is damaged"},
		{"an empty one", func(path string) error { return os.Truncate(path, 0) }, "it is damaged"},
		{"a huge one", func(path string) error { return os.Truncate(path, 17<<20) }, "larger than 16777216 bytes"},
		{
			"one of another version", replace(`"version":1`, `"version":2`),
			"it has version 2, and this program reads version 1",
		},
		{
			"one of another engine", replace(`"engine":"stage"`, `"engine":"other"`),
			`it was written for "other", and this program uses "stage"`,
		},
		{"one with more than it should have", replace(`"version":1`, `"version":1,"mood":"good"`), "it is damaged"},
		{"an instance without an address", replace(`["a:1"]`, `[]`), "it is damaged"},
		{
			"an instance under another service", replace(`"payments":{`, `"orders":{`),
			`an instance of "payments" stands under "orders"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "lists")
				remember(t, path, one("a"))
				if err := tt.spoil(path); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				s := newStage()
				r := open(t, s, discovery.WithLastKnownGood(path), discovery.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
				told, cancel := subscribe(r, "payments")
				defer cancel()
				s.fail()
				told.want(t, "0s [] unknown failing")
				file, err := r.Snapshot().File, r.Snapshot().FileErr
				if file != path || err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("snapshot: %q, %v; want it to say %q", file, err, tt.want)
				}
				if got := strings.Count(out.String(), "continues without them"); got != 1 {
					t.Errorf("logged %d times; want once:\n%s", got, out.String())
				}

				s.list(one("b"))
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if err := r.Snapshot().FileErr; err != nil {
					t.Errorf("after a good list: %v", err)
				}
				if got := memorized(t, path); !slices.Equal(got, []string{"b"}) {
					t.Errorf("the file has %v; want the good list", got)
				}
			})
		})
	}
}

func replace(old, with string) func(string) error {
	return func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o600)
	}
}

func TestAFileThatCannotBeWrittenIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "lists")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		s := newStage()
		r := discovery.New(s, discovery.WithLastKnownGood(path))
		told, cancel := subscribe(r, "payments")
		defer cancel()
		s.list(one("a"))
		if err := r.Close(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Close: %v; want it to name the file", err)
		}
		told.want(t, "0s [a]")
	})
}
