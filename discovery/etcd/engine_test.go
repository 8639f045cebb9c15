package etcd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/parley-rpc/parley/discovery/etcd"
)

// engineVariable makes this program an etcd instead of a test. Its value says which one.
const engineVariable = "PARLEY_TEST_ETCD"

// settings configure an etcd.
type settings struct {
	Dir, Client, Peer string
	Cert, Key, CA     string // of its TLS, if any
}

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(engineVariable); ok {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is an etcd until the standard input ends, as it does when the test does.
func serve(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir, config.LogLevel = s.Dir, "panic"
	config.TickMs, config.ElectionMs = 10, 100
	config.UnsafeNoFsync = true
	client, peer := url.URL{Scheme: "http", Host: s.Client}, url.URL{Scheme: "http", Host: s.Peer}
	if s.Cert != "" {
		client.Scheme = "https"
		config.ClientTLSInfo.CertFile, config.ClientTLSInfo.KeyFile, config.ClientTLSInfo.TrustedCAFile = s.Cert, s.Key, s.CA
		config.ClientTLSInfo.ClientCertAuth = true
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	e, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	<-e.Server.ReadyNotify()
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// engine is an etcd in a process of its own.
type engine struct {
	settings settings
	config   etcd.Config // for the operator
	process  *exec.Cmd
	stdin    io.Closer
}

func startEngine(dir string, changes ...func(*settings)) (*engine, error) {
	client, err := freeAddr()
	if err != nil {
		return nil, err
	}
	peer, err := freeAddr()
	if err != nil {
		return nil, err
	}
	e := &engine{settings: settings{Dir: filepath.Join(dir, "etcd"), Client: client, Peer: peer}}
	for _, change := range changes {
		change(&e.settings)
	}
	return e, e.start()
}

// newEngine starts an etcd that ends with the test.
func newEngine(t testing.TB, changes ...func(*settings)) *engine {
	t.Helper()
	e, err := startEngine(t.TempDir(), changes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.end)
	return e
}

// freeAddr returns an unused address of this machine.
func freeAddr() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (e *engine) start() error {
	text, err := json.Marshal(e.settings)
	if err != nil {
		return err
	}
	e.process = exec.CommandContext(context.Background(), os.Args[0])
	e.process.Env = append(os.Environ(), engineVariable+"="+string(text))
	e.process.Stderr = os.Stderr
	if e.stdin, err = e.process.StdinPipe(); err != nil {
		return err
	}
	stdout, err := e.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.process.Start(); err != nil {
		return err
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("ready"))); err != nil {
		return errors.Join(errors.New("etcd does not start"), err)
	}
	return nil
}

func (e *engine) end() {
	_ = e.process.Process.Kill()
	_ = e.process.Wait()
}

// kill ends etcd as SIGKILL does, and starts it again with its data.
func (e *engine) kill(t testing.TB) {
	t.Helper()
	e.end()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
}

// do runs requests of an operator.
func (e *engine) do(t testing.TB, request func(context.Context, *clientv3.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{e.settings.Client}, TLS: e.config.TLS, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := request(ctx, client); err != nil {
		t.Fatal(err)
	}
}

func (e *engine) loseLeases(t testing.TB) {
	t.Helper()
	e.do(t, func(ctx context.Context, c *clientv3.Client) error {
		leases, err := c.Leases(ctx)
		if err != nil {
			return err
		}
		for _, l := range leases.Leases {
			if _, err := c.Revoke(ctx, l.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *engine) remove(t testing.TB, key string) {
	t.Helper()
	e.do(t, func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Delete(ctx, key)
		return err
	})
}

// compact makes etcd forget everything but the present.
func (e *engine) compact(t testing.TB) {
	t.Helper()
	e.do(t, func(ctx context.Context, c *clientv3.Client) error {
		put, err := c.Put(ctx, "elsewhere", "")
		if err != nil {
			return err
		}
		_, err = c.Compact(ctx, put.Header.GetRevision(), clientv3.WithCompactPhysical())
		return err
	})
}
