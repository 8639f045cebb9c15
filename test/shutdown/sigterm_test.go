// Package shutdown stops real processes with real signals while they are under load.
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
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

// stateEnv holds the state directory of the child process that serves.
const stateEnv = "PARLEY_TEST_STATE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(stateEnv); dir != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := serve(ctx, dir, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// payments counts the charges that it makes.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	charged atomic.Int64
}

func (p *payments) Charge(ctx context.Context, _ *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	select {
	case <-time.After(20 * time.Millisecond): // so that many calls are in flight at any time
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.charged.Add(1)
	return &paymentsv1.ChargeResponse{}, nil
}

// serve is the child: it serves until ctx ends, and prints where it listens and at last how many charges it made.
func serve(ctx context.Context, dir string, out io.Writer) (err error) {
	id, err := identity(dir, "payments")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, id.Close()) }()
	app := framework.New("payments", framework.WithIdentity(id), framework.WithEnviron(nil), framework.WithLogger(slog.New(slog.DiscardHandler)))
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
	id, err := auth.ParseID("spiffe://test/" + service)
	if err != nil {
		return nil, err
	}
	i := auth.TrustDir(dir, id, auth.WithEnroll())
	return i, i.Check()
}

// A charge is not idempotent: nothing repeats it once it may have been made. So every charge that the server makes must
// be answered, and every call that fails must not have been made.
func TestSIGTERMUnderLoadLosesNoAcceptedCall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	id, err := identity(dir, "orders")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = id.Close() })
	child := startChild(t, dir)

	app := framework.New("orders", framework.WithIdentity(id), framework.WithEnviron(nil))
	t.Cleanup(func() { _ = app.Close() })
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments", framework.WithTarget("passthrough:///"+child.line(t))))

	var answered atomic.Int64
	loaded := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				_, err := client.Charge(t.Context(), &paymentsv1.ChargeRequest{})
				switch status.Code(err) {
				case codes.OK:
					if answered.Add(1) == 500 {
						close(loaded)
					}
				case codes.Unavailable:
					return // the server is gone
				default:
					t.Errorf("Charge: %v", err)
					return
				}
			}
		})
	}
	select {
	case <-loaded:
	case <-t.Context().Done():
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	charged := child.line(t)
	if err := child.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if got := fmt.Sprint(answered.Load()); got != charged {
		t.Errorf("%s calls were answered, %s charges were made", got, charged)
	}
}

type childProcess struct {
	*exec.Cmd
	out *bufio.Reader
}

func startChild(t *testing.T, dir string) *childProcess {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), stateEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
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
