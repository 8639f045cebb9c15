package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 15 * time.Second

func payments(id string) driver.Instance {
	return driver.Instance{ID: id, Service: "payments", Addresses: []string{"10.0.0.7:8443"}}
}

func announce(t *testing.T, d driver.Driver, in driver.Instance) driver.Lease {
	t.Helper()
	l, err := d.Announce(t.Context(), in, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// listed returns the IDs that the folder shows now.
func listed(t *testing.T, folder string) []string {
	t.Helper()
	d := open(t, folder)
	defer func() { _ = d.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ids []string
	err := d.Watch(ctx, "payments", func(list []driver.Instance) {
		for _, in := range list {
			ids = append(ids, in.ID)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return ids
}

// files returns the paths below the folder.
func files(t *testing.T, folder string) []string {
	t.Helper()
	var paths []string
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

// The entry of a dead process is valid for its ttl, and the entry of a living process as long as the process lives.
func TestEntriesOutliveTheirProcessByTheirTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "parley")
		dying, living := open(t, folder), open(t, folder)
		announce(t, living, payments("living"))
		announce(t, dying, payments("dying"))
		if err := dying.Close(); err != nil { // a killed process leaves the same files
			t.Fatal(err)
		}
		time.Sleep(ttl - 1)
		if got := listed(t, folder); !slices.Equal(got, []string{"dying", "living"}) {
			t.Errorf("before the ttl has passed: %v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := listed(t, folder); !slices.Equal(got, []string{"living"}) {
			t.Errorf("when the ttl has passed: %v", got)
		}
		time.Sleep(10 * ttl)
		if got := listed(t, folder); !slices.Equal(got, []string{"living"}) {
			t.Errorf("later: %v", got)
		}
		_ = living.Close()
	})
}

// A clock that is set forward does not end an entry that is renewed. An entry that is not renewed ends after its ttl.
func TestClockSetForward13_16(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "parley")
		dying := open(t, folder)
		announce(t, dying, payments("dying"))
		var step atomic.Int64
		d, err := file.New(folder, file.WithWall(func() time.Time { return time.Now().Add(time.Duration(step.Load())) }))
		if err != nil {
			t.Fatal(err)
		}
		var shown atomic.Int64
		watched := make(chan error, 1)
		go func() {
			watched <- d.Watch(t.Context(), "payments", func(list []driver.Instance) { shown.Store(int64(len(list))) })
		}()
		time.Sleep(time.Second)
		step.Store(int64(time.Hour))
		if err := dying.Close(); err != nil { // which renews nothing more
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := shown.Load(); n != 1 {
			t.Errorf("%d instances after the clock was set, want 1", n)
		}
		time.Sleep(ttl)
		if n := shown.Load(); n != 0 {
			t.Errorf("%d instances when the ttl has passed, want 0", n)
		}
		_ = d.Close()
		if err := <-watched; !errors.Is(err, file.ErrClosed) {
			t.Errorf("Watch ended with %v", err)
		}
	})
}

func TestEntriesAreRenewedAtJitteredIntervalsOfAThirdAtMost(t *testing.T) {
	for _, tt := range []struct {
		random float64
		least  time.Duration
		most   time.Duration
	}{{0, 2500 * time.Millisecond, 2750 * time.Millisecond}, {0.999, 4750 * time.Millisecond, 5 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "parley")
			d, err := file.New(folder, file.WithRandom(func() float64 { return tt.random }))
			if err != nil {
				t.Fatal(err)
			}
			announce(t, d, payments("a"))
			path := files(t, folder)[0]
			text := read(t, path)
			began := time.Now()
			for read(t, path) == text {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			if took := time.Since(began); took < tt.least || took > tt.most {
				t.Errorf("jitter %v: renewed after %v; want %v to %v", tt.random, took, tt.least, tt.most)
			}
			_ = d.Close()
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFilesThatAreOverlooked(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(path string) error
	}{
		{"half a file", func(path string) error { return os.Truncate(path, 40) }},
		{"a file that others may write", func(path string) error { return os.Chmod(path, 0o666) }},
		{"a huge file", func(path string) error { return os.Truncate(path, 1<<20) }},
		{"another version", replace(`"version":1`, `"version":2`)},
		{"an instance of another service", replace(`"service":"payments"`, `"service":"orders"`)},
		{"a name that is not the name of an entry", func(path string) error { return os.Rename(path, path+".tmp") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				folder := filepath.Join(t.TempDir(), "parley")
				d := open(t, folder)
				announce(t, d, payments("bad"))
				bad := files(t, folder)[0]
				announce(t, d, payments("good"))
				if err := tt.spoil(bad); err != nil {
					t.Fatal(err)
				}
				if got := listed(t, folder); !slices.Equal(got, []string{"good"}) {
					t.Errorf("listed are %v; want the good one alone", got)
				}
				_ = d.Close()
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
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, with)), 0o600)
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(folder string) error
		want string
	}{
		{
			"one that others may write",
			func(folder string) error { return errors.Join(os.Mkdir(folder, 0o700), os.Chmod(folder, 0o777)) },
			"run: chmod go-w",
		},
		{"a folder below such a folder", func(folder string) error {
			return errors.Join(os.Mkdir(folder, 0o700), os.Chmod(filepath.Dir(folder), 0o777))
		}, "run: chmod go-w"},
		{"a file", func(folder string) error { return os.WriteFile(folder, nil, 0o600) }, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "parley")
			if err := tt.make(folder); err != nil {
				t.Fatal(err)
			}
			d := open(t, folder)
			defer func() { _ = d.Close() }()
			if err := d.Watch(t.Context(), "payments", func([]driver.Instance) { t.Error("a list was emitted") }); err == nil ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("Watch: %v; want it to say %q", err, tt.want)
			}
			if _, err := d.Announce(t.Context(), payments("a"), ttl); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Announce: %v; want it to say %q", err, tt.want)
			}
		})
	}
}

func TestAMissingFolderIsNoEmptyList(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "parley")
	d := open(t, folder)
	defer func() { _ = d.Close() }()
	err := d.Watch(t.Context(), "payments", func([]driver.Instance) { t.Error("a list was emitted") })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Watch: %v; want fs.ErrNotExist", err)
	}
	announce(t, d, payments("a"))
	for path, want := range map[string]fs.FileMode{
		folder: 0o700, filepath.Join(folder, "payments"): 0o700, files(t, folder)[0]: 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %04o", path, info.Mode(), err, want)
		}
	}
}

func TestWhatLiesAboutForLongIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "parley")
		dead := open(t, folder)
		announce(t, dead, payments("dead"))
		_ = dead.Close()
		unfinished, foreign := filepath.Join(folder, "payments", ".x.tmp"), filepath.Join(folder, "payments", "README")
		for _, path := range []string{unfinished, foreign} {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range files(t, folder) {
			if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil { // files have real times
				t.Fatal(err)
			}
		}
		d := open(t, folder)
		time.Sleep(time.Hour)
		announce(t, d, payments("a"))
		if got := len(files(t, folder)); got != 3 { // the unfinished one is an hour old, and the entry not yet for an hour
			t.Errorf("after an hour there are %v", files(t, folder))
		}
		time.Sleep(ttl + 1)
		announce(t, d, payments("a"))
		if got := files(t, folder); len(got) != 2 || !slices.Contains(got, foreign) {
			t.Errorf("afterwards there are %v; want only the files of others", got)
		}
		_ = d.Close()
	})
}

func TestStrangeIDs(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "parley")
	d := open(t, folder)
	defer func() { _ = d.Close() }()
	want := []string{
		"..",
		".tmp",
		"[2001:db8::7]:8443",
		"payments@host:8443",
		strings.Repeat("x", 300) + "1",
		strings.Repeat("x", 300) + "2",
		"über%2fall",
	}
	for _, id := range want {
		announce(t, d, payments(id))
		announce(t, d, payments(id))
	}
	slices.Sort(want)
	if got := listed(t, folder); !slices.Equal(got, want) {
		t.Errorf("listed are %q; want %q", got, want)
	}
	if n := len(files(t, folder)); n != len(want) {
		t.Errorf("%d files; want one for each ID", n)
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"file:/run/parley":       "file at /run/parley",
		"file:///run/parley":     "file at /run/parley",
		"file:/run/../x/":        "file at /x",
		"file:run/parley":        "",
		"file://host/run":        "",
		"file:":                  "",
		"file:/run/parley?ttl=1": "",
		"etcd://10.0.0.1":        "",
	} {
		d, err := file.Open(url)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "file:/run/parley") {
				t.Errorf("%s: %v; want it to show a good URL", url, err)
			}
			continue
		}
		if err != nil || d.String() != want {
			t.Errorf("%s: %v, %v; want %s", url, d, err, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := file.New("", file.WithInterval(0))
	for _, want := range []string{"want a folder", "file.WithInterval(0s): want more than 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}
