package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/parley-rpc/parley/internal/rules"
)

// report collects the results of several runs of go test and prints those of each package when it is done.
type report struct {
	out io.Writer

	mu    sync.Mutex
	tests []timed
}

// timed is one top-level test and how long it took.
type timed struct {
	seconds       float64
	pkg, function string
}

// event is what go test -json says of a test or, where Test is empty, of a package.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// goTest runs the tests of the module in dir.
func (r *report) goTest(ctx context.Context, dir string, flags []string) error {
	args := slices.Concat([]string{"test", "-json", "-vet=off", "-shuffle=on", "-count=1"}, flags, []string{"./..."})
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are constants
	command.Dir, command.Stderr = dir, os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	read := r.read(out)
	return errors.Join(read, command.Wait())
}

// read takes the events of one run. The output of a package that passed is its last line; that of one that failed is
// all of it, without the passed tests.
func (r *report) read(events io.Reader) error {
	output := map[[3]string]*bytes.Buffer{}
	of := func(e event) *bytes.Buffer {
		key := [3]string{e.Package, e.ImportPath, e.Test}
		if output[key] == nil {
			output[key] = new(bytes.Buffer)
		}
		return output[key]
	}
	for decoder := json.NewDecoder(events); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch e.Action {
		case "output", "build-output":
			_, _ = of(e).WriteString(e.Output) // a Buffer takes everything
		case "pass", "fail", "skip", "build-fail":
			r.done(e, of(e).String())
			of(e).Reset()
		}
	}
}

// done prints the output of a package, and of a test that failed, and notes how long a test took.
func (r *report) done(e event, output string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.Test != "" && e.Action == "fail", e.Action == "build-fail":
		_, _ = io.WriteString(r.out, output)
	case e.Test == "" && e.Action == "fail":
		_, _ = io.WriteString(r.out, output)
	case e.Test == "" && strings.TrimSpace(output) != "":
		lines := strings.Split(strings.TrimSpace(output), "\n")
		_, _ = fmt.Fprintln(r.out, lines[len(lines)-1])
	}
	if e.Test != "" && !strings.Contains(e.Test, "/") {
		r.tests = append(r.tests, timed{e.Elapsed, e.Package, e.Test})
	}
}

// slowest is a table of the n tests that took longest.
func (r *report) slowest(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.tests, func(a, b timed) int {
		return cmp.Or(cmp.Compare(b.seconds, a.seconds), cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.function, b.function))
	})
	var text strings.Builder
	text.WriteString("the slowest tests\n")
	for _, t := range r.tests[:min(n, len(r.tests))] {
		fmt.Fprintf(&text, "%8.2f s  %s %s\n", t.seconds, strings.TrimPrefix(t.pkg, rules.Module+"/"), t.function)
	}
	return text.String()
}
