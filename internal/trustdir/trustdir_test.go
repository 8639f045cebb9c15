package trustdir_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	orders   = "spiffe://shop/orders"
	payments = "spiffe://shop/payments"
)

// state is a trust directory under test.
type state struct {
	t   testing.TB
	dir string
}

// newState makes an empty trust directory that passes every check, whatever the umask.
func newState(t testing.TB) *state {
	t.Helper()
	s := &state{t: t, dir: t.TempDir()}
	s.chmod(".", 0o700)
	s.mkdir("trust", 0o700)
	return s
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

func (s *state) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *state) chmod(name string, mode os.FileMode) {
	s.t.Helper()
	s.must(os.Chmod(s.path(name), mode))
}

func (s *state) mkdir(name string, mode os.FileMode) {
	s.t.Helper()
	s.must(os.MkdirAll(s.path(name), 0o700))
	s.chmod(name, mode)
}

func (s *state) write(name, text string) {
	s.t.Helper()
	s.mkdir(filepath.Dir(name), 0o700)
	s.must(os.WriteFile(s.path(name), []byte(text), 0o600))
}

func (s *state) remove(name string) {
	s.t.Helper()
	s.must(os.Remove(s.path(name)))
}

func (s *state) rename(from, to string) {
	s.t.Helper()
	s.must(os.Rename(s.path(from), s.path(to)))
}

func (s *state) symlink(target, name string) {
	s.t.Helper()
	s.mkdir(filepath.Dir(name), 0o700)
	s.must(os.Symlink(target, s.path(name)))
}

// put writes the file of a key of an ID, and returns its path below the directory.
func (s *state) put(id string, key *jose.PublicKey) string {
	s.t.Helper()
	name := fileOf(s.t, id, key)
	s.write(name, textOf(s.t, id, key))
	return name
}

func (s *state) open() *trustdir.Directory {
	return trustdir.Open(s.dir, trustdir.Options{ValidID: validID})
}

// checked returns the directory after one reading.
func (s *state) checked() *trustdir.Directory {
	s.t.Helper()
	d := s.open()
	s.must(d.Check())
	return d
}

// skips asks that one reading skips exactly the files named, with these problems.
func (s *state) skips(want map[string]string) {
	s.t.Helper()
	skipped := s.checked().Skipped()
	if len(skipped) != len(want) {
		s.t.Errorf("skipped %v, want %v", skipped, want)
	}
	for _, file := range skipped {
		name, err := filepath.Rel(s.dir, file.Path)
		s.must(err)
		if problem, ok := want[name]; !ok || !strings.Contains(file.Err.Error(), problem) {
			s.t.Errorf("skipped %s: %v, want %q", name, file.Err, problem)
		}
	}
}

func fileOf(t testing.TB, id string, key *jose.PublicKey) string {
	t.Helper()
	domain, name, err := trustdir.SplitID(id)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join("trust", domain, trustdir.FileName(name, key.Thumbprint()))
}

func textOf(t testing.TB, id string, key *jose.PublicKey) string {
	t.Helper()
	text, err := trustdir.FormatEntry(id, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newKey(t testing.TB) *jose.PublicKey {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

func validID(id string) error {
	if !strings.HasPrefix(id, "spiffe://") || strings.Contains(id, "forbidden") {
		return errors.New("not a valid ID")
	}
	return nil
}

// journal is a log handler's output as lines, without times.
type journal struct{ strings.Builder }

func (j *journal) logger() *slog.Logger {
	return slog.New(
		slog.NewTextHandler(&j.Builder, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "dir" || a.Key == "read" {
				return slog.Attr{}
			}
			return a
		}}),
	)
}
