package interop_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/principal"
)

// TestInterop runs the cases of gRPC's interoperability suite, each in a child process of its own, which is the client;
// the server is here.
func TestInterop(t *testing.T) {
	for _, s := range stacks() {
		t.Run(s.name, func(t *testing.T) {
			callers := &callerLog{}
			trust := privateDir(t)
			addr := s.serve(t, trust, &witness{note: callers.add})
			for _, c := range cases() {
				t.Run(c.name, func(t *testing.T) {
					callers.reset()
					child(t, c.name, s.name, addr, trust)
					callers.check(t, s.name, c.mayMiss)
				})
			}
		})
	}
}

// child runs one case in a process of its own.
func child(t *testing.T, caseName, stackName, addr, trust string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*caseLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(),
		envCase+"="+caseName, envStack+"="+stackName, envAddr+"="+addr, envTrust+"="+trust,
		"GORACE=atexit_sleep_ms=0", // the race detector would wait for a second at each exit
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// privateDir is a trust directory that only this user may enter, as enrolment demands.
func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// callerLog notes who called which method during one case.
type callerLog struct {
	mu    sync.Mutex
	calls []call
}

type call struct {
	method string
	caller principal.ID
}

func (l *callerLog) add(ctx context.Context, method string) {
	peer, _ := principal.PeerFromContext(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, call{method, peer.ID})
}

func (l *callerLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

// check asserts that the case reached the handlers, and, where Parley serves, that each call came from the proven
// caller.
func (l *callerLog) check(t *testing.T, stackName string, mayMiss bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == 0 && !mayMiss {
		t.Error("no call reached a handler")
	}
	want := ""
	if stackName == "parley" {
		want = clientID
	}
	for _, c := range l.calls {
		if c.caller.String() != want {
			t.Errorf("%s was called by %q, want %q", c.method, c.caller, want)
		}
	}
}
