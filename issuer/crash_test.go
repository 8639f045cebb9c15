package issuer_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/bolt"
	"github.com/parley-rpc/parley/issuer/store"
)

// The environment of a process that is to be killed: the folder of its store, the number of migrations that it knows,
// and the size that no file may exceed.
const (
	crashFolder     = "TEST_CRASH_FOLDER"
	crashMigrations = "TEST_CRASH_MIGRATIONS"
	crashFileSize   = "TEST_CRASH_FILE_SIZE"
)

// A process is killed with SIGKILL at any moment while it migrates, issues, rotates, revokes and registers. What it has
// said before is true afterwards.
func TestKilledProcess(t *testing.T) {
	dir, tokens, changes := crashDir(t), 0, 0
	for round := range rounds.Of(10) {
		said := crash(t, dir, round, time.Duration(mathrand.Int64N(int64(150*time.Millisecond))))
		checkAfterCrash(t, dir, round, said)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		for _, line := range said {
			if strings.HasPrefix(line, "token") {
				tokens++
			} else if !strings.HasPrefix(line, "used") {
				changes++
			}
		}
	}
	t.Logf("%d tokens and %d changes were confirmed and are true", tokens, changes)
}

// A disk is full at any size of the file. Nothing that was said before is lost, and the process goes on when there is
// room again.
func TestFullDisk(t *testing.T) {
	for round := range rounds.Of(3) {
		dir := crashDir(t)
		size := mathrand.Int64N(256<<10) + 1
		t.Setenv(crashFileSize, strconv.FormatInt(size, 10))
		child, lines := startCrashing(t, dir, 0)
		var said []string
		room, opened := false, true
		for goesOn := false; !goesOn && opened; {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("round %d, %d bytes: %v after %d lines", round, size, err, len(said))
			}
			said = append(said, strings.TrimSuffix(line, "\n"))
			goesOn = room && strings.HasPrefix(line, "rotated")
			opened = !strings.HasPrefix(line, "failed to open")
			if room && strings.HasPrefix(line, "failed") {
				t.Errorf("it does not go on: %s", line)
			}
			room = room || line == "room\n"
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		checkAfterCrash(t, dir, 0, said)
		if t.Failed() {
			t.Fatalf("in round %d, at %d bytes", round, size)
		}
	}
}

func crashDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// crash starts a process, kills it some time after it has begun, and returns what it has said.
func crash(t *testing.T, dir string, migrations int, after time.Duration) []string {
	t.Helper()
	child, lines := startCrashing(t, dir, migrations)
	time.AfterFunc(after, func() { _ = child.Process.Kill() })
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	said := strings.Split(string(rest), "\n")
	return said[:len(said)-1] // the last line may have been cut off
}

// startCrashing starts a process and returns it when it has begun, with what it says.
func startCrashing(t *testing.T, dir string, migrations int) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self, "-test.run=^$")
	child.Env = append(os.Environ(), crashFolder+"="+dir, crashMigrations+"="+strconv.Itoa(migrations))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if first, err := lines.ReadString('\n'); err != nil || first != "begins\n" {
		t.Fatalf("%q, %v", first, err)
	}
	return child, lines
}

// checkAfterCrash checks that what a process has said is true.
func checkAfterCrash(t *testing.T, dir string, migrations int, said []string) {
	t.Helper()
	records, err := bolt.Open(filepath.Join(dir, "issuer.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := records.Close(); err != nil {
			t.Error(err)
		}
	}()
	state, err := issuer.OpenStateAfter(t.Context(), records, sealed(), crashSteps(migrations)...)
	if err != nil {
		t.Fatal(err)
	}
	for n := range migrations {
		if _, err := records.Get(t.Context(), "migrated", strconv.Itoa(n)); err != nil {
			t.Errorf("migration %d: %v", n, err)
		}
	}
	s := &shop{t: t, keys: state.Keys(), registry: state.Clients(), log: &lockedBuffer{}, login: newKey(t)}
	s.open(issuer.WithState(state))
	list, err := state.Revocations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var revoked []string
	for _, r := range list {
		revoked = append(revoked, r.KeyID)
	}
	published := string(s.document(t, "/jwks.json"))
	for _, line := range said {
		what, value, _ := strings.Cut(line, " ")
		switch what {
		case "rotated":
			if !slices.Contains(revoked, value) && !strings.Contains(published, value) {
				t.Errorf("key %s is lost", value)
			}
		case "revoked":
			if !slices.Contains(revoked, value) || strings.Contains(published, value) {
				t.Errorf("the revocation of %s is lost", value)
			}
		case "registered":
			if _, err := state.Clients().Client(t.Context(), value); err != nil {
				t.Errorf("%s: %v", value, err)
			}
		case "used":
			if !issuer.Used(t.Context(), records, edge, value) {
				t.Errorf("assertion %s could be used again", value)
			}
		case "token":
			token, err := jose.Parse(value, "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(revoked, token.KeyID()) {
				s.token(t, reply{status: http.StatusOK, members: claims{"access_token": value}}, "at+jwt")
			}
		case "failed", "room": // the disk is full, and is no longer
		default:
			t.Errorf("it said %q", line)
		}
	}
}

// crashSteps are migrations, each of which changes two records.
func crashSteps(count int) (steps []func(context.Context, store.Store) error) {
	for n := range count {
		steps = append(steps, func(ctx context.Context, records store.Store) error {
			r, err := records.Get(ctx, "keys", "plan")
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := records.Apply(ctx, store.Change{
				Kind: "keys", Name: "plan", Value: r.Value, Version: r.Version,
			}); err != nil {
				return err
			}
			err = records.Apply(ctx, store.Change{Kind: "migrated", Name: strconv.Itoa(n)})
			if errors.Is(err, store.ErrConflict) {
				return nil // the process was killed after it
			}
			return err
		})
	}
	return steps
}

// runCrashing is the process that is killed. It says on its standard output what is true from then on.
func runCrashing() error {
	dir := os.Getenv(crashFolder)
	room := func() {}
	if limit := os.Getenv(crashFileSize); limit != "" {
		size, err := strconv.ParseUint(limit, 10, 64)
		if err != nil {
			return err
		}
		if room, err = limitFiles(size); err != nil {
			return err
		}
	}
	migrations, err := strconv.Atoi(os.Getenv(crashMigrations))
	if err != nil {
		return err
	}
	say("begins")
	records, err := bolt.Open(filepath.Join(dir, "issuer.db"))
	if err != nil {
		say("failed to open: %v", err)
		return nil
	}
	ctx := context.Background()
	state, err := issuer.OpenStateAfter(ctx, records, sealed(), crashSteps(migrations)...)
	if err != nil {
		say("failed to open: %v", err)
		return nil
	}
	t := &crashing{}
	s := &shop{t: t, keys: state.Keys(), registry: state.Clients(), log: &lockedBuffer{}, login: newKey(t)}
	if s.edge, err = jose.NewPrivateKey(ed25519.NewKeyFromSeed(secret())); err != nil {
		return err
	}
	s.open(issuer.WithState(state), issuer.WithRate(1e6, 1e6))
	failures := 0
	try := func(err error, what string, args ...any) {
		if err == nil {
			say(what, args...)
			return
		}
		say("failed %v", strings.ReplaceAll(err.Error(), "\n", " "))
		if failures++; failures == 5 {
			room()
			say("room")
		}
	}
	try(state.Clients().Register(ctx, s.edgeClient(), ""), "registered %s", edge)
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for {
				c := honest(edge)
				r := s.post(s.formWith(sign(t, s.edge, assertionType, c)))
				if r.status == http.StatusOK {
					say("used %s\ntoken %s", c["jti"], r.text("access_token"))
				}
			}
		})
	}
	working.Go(func() {
		for n := 0; ; n++ {
			_, err := state.Rotate(ctx)
			keys := state.Keys().State()
			try(err, "rotated %s", keys[len(keys)-1].KeyID)
			client := issuer.Client{ID: fmt.Sprintf("%s-%d", orders, n%10), JWKS: jwks(t, newKey(t))}
			try(state.Clients().Register(ctx, client, ""), "registered %s", client.ID)
			for _, key := range keys[:len(keys)-1] {
				try(state.Revoke(ctx, issuer.Revocation{KeyID: key.KeyID}), "revoked %s", key.KeyID)
			}
		}
	})
	working.Wait()
	return nil
}

// limitFiles limits the size of files, as a full disk does, until room is called.
func limitFiles(size uint64) (room func(), err error) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return nil, err
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			say("failed to make room: %v", err)
		}
	}, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max})
}

// say writes lines at once, so that a process which is killed has said either all or nothing.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// crashing is the test that runs in the process to be killed. It ends the process instead of failing.
type crashing struct{ testing.TB }

func (*crashing) Helper() {}

func (*crashing) Context() context.Context { return context.Background() }

func (*crashing) Cleanup(func()) {}

func (*crashing) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (*crashing) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
