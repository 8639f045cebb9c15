package waterfall_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/waterfall"
)

var _ waterfall.TB = testing.TB(nil)

// fakeTest is a test that may have failed.
type fakeTest struct {
	failed  bool
	cleanup []func()
	log     string
}

func (*fakeTest) Helper()            {}
func (f *fakeTest) Cleanup(c func()) { f.cleanup = append(f.cleanup, c) }
func (f *fakeTest) Failed() bool     { return f.failed }
func (f *fakeTest) Log(args ...any)  { f.log += fmt.Sprintln(args...) }

func (f *fakeTest) finish() string {
	for _, c := range f.cleanup {
		c()
	}
	return f.log
}

func TestLogOnFailure(t *testing.T) {
	tp := newTape(100)
	for range 25 {
		tp.call(t.Context(), charge, 0).end(ms, "OK")
	}
	tp.call(t.Context(), quote, 0).end(ms, "INTERNAL")

	passed, failed := &fakeTest{}, &fakeTest{failed: true}
	waterfall.LogOnFailure(passed, tp.ring)
	waterfall.LogOnFailure(failed, tp.ring)
	want(t, "the log of a test that passed", passed.finish(), "")
	log := failed.finish()
	for _, text := range []string{"calls of this test: 26, the last 20 of them drawn\n", "INTERNAL"} {
		if !strings.Contains(log, text) {
			t.Errorf("the log lacks %q:\n%s", text, log)
		}
	}
	want(t, "calls drawn", strings.Count(log, "\n\n")+1, 20)
}

func TestWriteText(t *testing.T) {
	tp := newTape(4)
	tp.call(t.Context(), charge, 0).end(ms, "OK")
	tp.call(t.Context(), quote, 0).end(ms, "OK")
	var b strings.Builder
	if err := tp.ring.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(b.String(), "\n\n")
	if len(blocks) != 2 || !strings.HasPrefix(blocks[0], charge) || !strings.HasPrefix(blocks[1], quote) {
		t.Errorf("the ring is written as\n%s", b.String())
	}
	if err := tp.ring.WriteText(broken{}); !errors.Is(err, errBroken) {
		t.Errorf("the error of the writer is %v, want %v", err, errBroken)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
