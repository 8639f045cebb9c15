package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/framework"
)

// The environment of a child process.
const (
	roleEnv = "PARLEY_CHAOS_ROLE" // replica or caller
	nameEnv = "PARLEY_CHAOS_NAME"
	dirEnv  = "PARLEY_CHAOS_DIR"
	fileEnv = "PARLEY_CHAOS_FILE" // the name of its configuration file
)

// descriptors is how many files and connections a child may have open: a quarter of what is usual, so that strangers
// who exhaust them are few.
const descriptors = 256

// child runs a replica or a caller until SIGTERM or the end of its standard input.
func child(role, name, dir, file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	lines := bufio.NewScanner(os.Stdin)
	commands := make(chan string)
	go func() {
		for lines.Scan() {
			commands <- lines.Text()
		}
		stop()
	}()
	log, err := appendTo(dir, "logs", name+".log")
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	ready := func(address string) { _, _ = fmt.Println("ready " + address) }
	few := syscall.Rlimit{Cur: descriptors, Max: descriptors}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		return err
	}
	options := []framework.Option{
		framework.WithConfigFile(filepath.Join(dir, "etc", file)), framework.WithEnviron(nil), framework.WithLogger(logger),
	}
	if role == "replica" {
		err = replica(ctx, dir, name, options, commands, ready)
	} else {
		err = caller(ctx, dir, name, options, ready)
	}
	if err != nil {
		logger.Error("ended", slog.String("error", err.Error()))
	}
	return errors.Join(err, log.Close())
}

// appendTo opens a file of the fleet.
func appendTo(path ...string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	return os.OpenFile(filepath.Join(path...), flags, 0o600) //nolint:gosec // in a folder of its own
}

// process is a running child.
type process struct {
	*exec.Cmd
	name    string
	address string // of a replica's server
	in      io.WriteCloser
	ended   chan struct{} // closed once err is set
	err     error
}

const (
	startLimit = 30 * time.Second
	stopLimit  = 30 * time.Second // after which Kubernetes kills a process
)

// start starts a child and returns when it is ready.
func start(dir, role, name, file string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program) //nolint:gosec,noctx // this program; it is ended by its standard input
	cmd.Env = append(os.Environ(), roleEnv+"="+role, nameEnv+"="+name, dirEnv+"="+dir, fileEnv+"="+file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{Cmd: cmd, name: name, in: in, ended: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			if address, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				p.address = address
				close(ready)
			}
		}
		_, _ = io.Copy(io.Discard, out)
		p.err = cmd.Wait()
		close(p.ended)
	}()
	select {
	case <-ready:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended before it was ready: %w", name, p.err)
	case <-time.After(startLimit):
		p.kill()
		return nil, fmt.Errorf("%s was not ready within %v", name, startLimit)
	}
}

// command sends a line to the child.
func (p *process) command(line string) error {
	_, err := fmt.Fprintln(p.in, line)
	return err
}

func (p *process) signal(s syscall.Signal) error { return p.Process.Signal(s) }

// kill ends the child as kill -9 does, and returns once it is gone.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// stop ends the child in order. The error says that it did not end well, or not in time.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s: after SIGTERM: %w", p.name, p.err)
		}
		return nil
	case <-time.After(stopLimit):
		p.kill()
		return fmt.Errorf("%s had not ended %v after SIGTERM", p.name, stopLimit)
	}
}
