// Package shutdown ends real processes with real signals while they are under load.
package shutdown

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
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/file"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// The environment of a child process that serves.
const (
	stateEnv     = "PARLEY_TEST_STATE"     // the state directory of its identity
	discoveryEnv = "PARLEY_TEST_DISCOVERY" // the folder in which it registers, "" for none
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(stateEnv); dir != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent, however that ends
			stop()
		}()
		if err := serve(ctx, dir, os.Getenv(discoveryEnv), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// payments takes 20ms for a call, so that many are in flight at any time, and counts the charges that it makes.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	charged atomic.Int64
}

func (p *payments) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	if err := work(ctx); err != nil {
		return nil, err
	}
	p.charged.Add(1)
	return &paymentsv1.ChargeResponse{}, nil
}

func (p *payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{}, work(ctx)
}

func work(ctx context.Context) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve is the child: it serves until ctx ends, and prints where it listens and at last how many charges it made.
func serve(ctx context.Context, dir, folder string, out io.Writer) (err error) {
	id, err := identity(dir, "payments")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, id.Close()) }()
	options := []framework.Option{
		framework.WithIdentity(id),
		framework.WithEnviron(nil),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}
	if folder != "" {
		d, err := file.New(folder)
		if err != nil {
			return err
		}
		options = append(options, framework.WithDiscovery(d))
	}
	app := framework.New("payments", options...)
	server := app.Server("127.0.0.1:0")
	p := &payments{}
	paymentsv1.RegisterPaymentsServiceServer(server, p)
	go func() {
		<-app.Ready()
		_, _ = fmt.Fprintln(out, server.Addr()) // the parent waits for it, and fails
	}()
	err = app.Run(ctx)
	_, wrong := fmt.Fprintln(out, p.charged.Load())
	return errors.Join(err, wrong)
}

func identity(dir, service string) (*auth.Identity, error) {
	id, err := principal.ParseID("spiffe://test/" + service)
	if err != nil {
		return nil, err
	}
	i := auth.TrustDir(dir, id, auth.WithEnroll())
	return i, i.Check()
}

// enrolled returns an identity whose key every process with this state directory trusts.
func enrolled(t *testing.T, dir, service string) *auth.Identity {
	t.Helper()
	id, err := identity(dir, service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = id.Close() })
	return id
}

type childProcess struct {
	*exec.Cmd
	out *bufio.Reader
}

// startChild starts this program as a server with the given environment besides the own one.
func startChild(t *testing.T, environ ...string) *childProcess {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &childProcess{cmd, bufio.NewReader(out)}
}

func (c *childProcess) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// kill ends the process as kill -9 does, and returns once it is gone.
func (c *childProcess) kill() {
	_ = c.Process.Kill()
	_ = c.Wait()
}
